"""An Airflow DAG that runs the campaign report every night (apache-airflow-providers-papermill)."""

from datetime import datetime

from airflow import DAG
from airflow.providers.papermill.operators.papermill import PapermillOperator

from journey_nb.reports import report_notebooks

with DAG("journey_reports", start_date=datetime(2026, 1, 1), schedule="0 5 * * *", catchup=False):
    PapermillOperator(
        task_id="campaign",
        input_nb=str(report_notebooks()["campaign"]),
        output_nb="/opt/journeys/reports/welcome-{{ ds }}.ipynb",
        parameters={"store": "/opt/journeys/store", "journey": "welcome", "period": "30d", "locale": "en"},
        kernel_name="python3",
        language_name="python",
    )
