"""What numbers count, in French and Korean: the sentences of ``stats.explain``, by the English ones."""

from __future__ import annotations

from journey_nb.style.words import place

# English: (French, Korean)
_MEANINGS: dict[str, tuple[str, str]] = {
    # Clocks
    "each event at its own time; on the cohort clock those of the runs that entered, up to as_of": (
        "chaque événement à sa date ; avec l’horloge de cohorte, ceux des passages entrés, jusqu’à la date d’observation",
        "이벤트 발생 시각 기준; 코호트 기준에서는 진입한 실행의 이벤트를 관찰 시점까지 집계",
    ),
    "messages sent, failed or skipped in the period, with what happened to them up to as_of": (
        "messages envoyés, en échec ou ignorés pendant la période, suivis jusqu’à la date d’observation",
        "기간 중 발송·실패·건너뛴 메시지와 관찰 시점까지의 결과",
    ),
    "as it stood at the start of the period (cohort clock: 0)": (
        "état au début de la période (horloge de cohorte : 0)",
        "기간 시작 시점의 상태 (코호트 기준: 0)",
    ),
    "as it stands at the end of the period, or at as_of if that comes first (cohort clock: at as_of)": (
        "état à la fin de la période, ou à la date d’observation si elle vient avant (horloge de cohorte : à la date d’observation)",
        "기간 종료 시점 또는 그보다 이른 관찰 시점의 상태 (코호트 기준: 관찰 시점)",
    ),
    # Runs and users
    "runs that entered": ("passages entrés dans le parcours", "여정에 진입한 실행"),
    "runs inside as the period begins": ("passages présents au début de la période", "기간 시작 시 여정 내 실행"),
    "runs inside": ("passages présents dans le parcours", "여정 내 실행"),
    "distinct users who entered": ("utilisateurs distincts entrés", "진입한 고유 사용자"),
    "distinct users inside": ("utilisateurs distincts présents", "여정 내 고유 사용자"),
    "runs that left without an error: completed or exited": (
        "passages sortis sans erreur : terminés ou partis avant la fin",
        "오류 없이 나간 실행: 완료 또는 중도 이탈",
    ),
    "runs that left with reason completed": ("passages arrivés à leur terme", "완료되어 나간 실행"),
    "runs dropped by an internal or a send error": (
        "passages sortis par une erreur interne ou d’envoi",
        "내부 오류나 발송 오류로 이탈한 실행",
    ),
    "runs dropped by an internal error": ("passages sortis par une erreur interne", "내부 오류로 이탈한 실행"),
    "runs dropped by a send error": ("passages sortis par une erreur d’envoi", "발송 오류로 이탈한 실행"),
    "1st, 2nd … run of that user, by entry time": (
        "1er, 2e… passage de cet utilisateur, par date d’entrée",
        "진입 시각 순으로 해당 사용자의 몇 번째 실행인지",
    ),
    # Messages
    "messages sent, all channels; in-app: shown": (
        "messages envoyés, tous canaux ; in-app : affichés",
        "모든 채널의 발송 메시지; 인앱은 노출",
    ),
    "sent messages opened, on channels that report opens": (
        "messages envoyés puis ouverts, sur les canaux qui signalent les ouvertures",
        "열람을 보고하는 채널에서 열람된 발송 메시지",
    ),
    "share of the sent messages that were opened": (
        "part des messages envoyés qui ont été ouverts",
        "발송 메시지 중 열람된 비율",
    ),
    "messages sent on channels that report opens": (
        "messages envoyés sur les canaux qui signalent les ouvertures",
        "열람을 보고하는 채널의 발송 메시지",
    ),
    "messages sent; in-app: shown at least once": (
        "messages envoyés ; in-app : affichés au moins une fois",
        "발송 메시지; 인앱은 한 번 이상 노출",
    ),
    "sent messages with a delivery receipt": (
        "messages envoyés avec accusé de remise",
        "전달 확인을 받은 발송 메시지",
    ),
    "sent messages opened or clicked by a person (by machines too if asked for)": (
        "messages envoyés ouverts ou cliqués par une personne (par des machines aussi si demandé)",
        "사람이 열람하거나 클릭한 발송 메시지 (요청 시 자동 처리 포함)",
    ),
    "sent messages clicked by a person (by machines too if asked for)": (
        "messages envoyés cliqués par une personne (par des machines aussi si demandé)",
        "사람이 클릭한 발송 메시지 (요청 시 자동 처리 포함)",
    ),
    "share of the sent messages that were clicked": (
        "part des messages envoyés qui ont été cliqués",
        "발송 메시지 중 클릭된 비율",
    ),
    "messages that failed and were never sent": (
        "messages en échec, jamais envoyés",
        "실패하여 발송되지 않은 메시지",
    ),
    "sent messages that failed after the sending": (
        "messages envoyés, en échec après l’envoi",
        "발송 후 실패한 메시지",
    ),
    "messages passed over, neither sent nor failed": (
        "messages ignorés, ni envoyés ni en échec",
        "발송도 실패도 아닌 건너뛴 메시지",
    ),
    "sent messages from which a person unsubscribed": (
        "messages envoyés depuis lesquels une personne s’est désabonnée",
        "수신 거부로 이어진 발송 메시지",
    ),
    "in-app messages shown; the first impression, or one inferred": (
        "messages in-app affichés ; premier affichage, constaté ou déduit",
        "노출된 인앱 메시지; 첫 노출 또는 추정된 노출",
    ),
    "in-app messages interacted with": (
        "messages in-app ayant suscité une interaction",
        "상호작용이 있었던 인앱 메시지",
    ),
    "distinct users a message was sent to": (
        "utilisateurs distincts à qui un message a été envoyé",
        "메시지를 받은 고유 사용자",
    ),
    "distinct users who opened one of these messages": (
        "utilisateurs distincts ayant ouvert un de ces messages",
        "이 메시지를 열람한 고유 사용자",
    ),
    "distinct users who clicked one of these messages": (
        "utilisateurs distincts ayant cliqué sur un de ces messages",
        "이 메시지를 클릭한 고유 사용자",
    ),
    "share of messages engaged with, as the channel has it": (
        "part des messages ayant suscité un engagement, selon le canal",
        "채널 기준에 따라 참여가 있었던 메시지의 비율",
    ),
    "email clicked, push opened, sms delivered, whatsapp opened, in_app interacted, others clicked": (
        "e-mail cliqué, push ouvert, SMS remis, WhatsApp ouvert, in-app avec interaction, autres cliqués",
        "이메일 클릭, 푸시 열람, SMS 전달, WhatsApp 열람, 인앱 상호작용, 그 외 클릭",
    ),
    "email and whatsapp delivered (if 1 % of the sends are reported on), in_app shown, others sent": (
        "e-mail et WhatsApp remis (si 1 % des envois ont un retour), in-app affichés, autres envoyés",
        "이메일과 WhatsApp은 전달 (발송의 1% 이상 보고 시), 인앱은 노출, 그 외 발송",
    ),
    "messages with that outcome for that reason": (
        "messages ayant cette issue pour cette raison",
        "해당 이유로 해당 결과가 된 메시지",
    ),
    "share of the channel's attempts": ("part des tentatives du canal", "채널 발송 시도 중 비율"),
    "attempts: sent + failed + skipped of the channel": (
        "tentatives : envoyés + échecs + ignorés du canal",
        "시도: 채널의 발송 + 실패 + 건너뜀",
    ),
    # Goals
    "users who reached a goal, added over the goals": (
        "utilisateurs ayant atteint un objectif, additionnés sur les objectifs",
        "목표를 달성한 사용자, 목표별 합계",
    ),
    "distinct users who reached it inside the window of a run": (
        "utilisateurs distincts l’ayant atteint dans la fenêtre d’un passage",
        "실행의 전환 기간 안에 달성한 고유 사용자",
    ),
    "runs that reached it": ("passages l’ayant atteint", "달성한 실행"),
    "all reachings inside their run's window": (
        "toutes les atteintes dans la fenêtre de leur passage",
        "실행의 전환 기간 안의 모든 달성",
    ),
    "users who reached it per entrance; above 1 it is marked mixed_cohorts": (
        "utilisateurs l’ayant atteint par entrée ; au-dessus de 1, des entrants antérieurs sont compris",
        "진입당 달성 사용자; 1을 넘으면 이전 진입자가 포함된 것",
    ),
    "users who reached it per user who entered": (
        "utilisateurs l’ayant atteint par utilisateur entré",
        "진입한 사용자당 달성 사용자",
    ),
    "runs that reached it per entrance": ("passages l’ayant atteint par entrée", "진입당 달성 실행"),
    "money of all reachings inside their window; null where none carried any": (
        "montant de toutes les atteintes dans leur fenêtre ; vide si aucune n’en portait",
        "전환 기간 안 모든 달성의 금액; 금액이 없으면 비어 있음",
    ),
    "users credited to it, in shares under rules that share": (
        "utilisateurs qui lui sont attribués, en parts si la règle partage",
        "이 단계에 귀속된 사용자, 분할 규칙이면 지분으로",
    ),
    "of these, by a message engaged with before the goal": (
        "dont par un message ayant suscité un engagement avant l’objectif",
        "그중 목표 전에 참여가 있었던 메시지에 의한 사용자",
    ),
    "of these, by a message only sent or shown before the goal": (
        "dont par un message seulement envoyé ou affiché avant l’objectif",
        "그중 목표 전에 발송이나 노출만 된 메시지에 의한 사용자",
    ),
    "users whose first reaching in the period is credited here": (
        "utilisateurs dont la première atteinte de la période est attribuée ici",
        "기간 중 첫 달성이 여기에 귀속된 사용자",
    ),
    "users who engaged with it, not by machine, and later reached the goal in that run's window": (
        "utilisateurs ayant interagi (hors machines) puis atteint l’objectif dans la fenêtre de ce passage",
        "직접 상호작용한 뒤 해당 실행의 전환 기간 안에 목표를 달성한 사용자",
    ),
    "share of the users it was sent to who engaged and later reached the goal": (
        "part des destinataires ayant interagi puis atteint l’objectif",
        "받은 사용자 중 상호작용 후 목표를 달성한 비율",
    ),
    "of goal_users, by engagement before the goal": (
        "dont par un engagement avant l’objectif",
        "목표 달성 사용자 중 목표 전 참여에 의한 사용자",
    ),
    "of goal_users, by a sending alone": ("dont par un simple envoi", "목표 달성 사용자 중 발송만으로 귀속된 사용자"),
}  # fmt: skip


def meaning(sentence: str, locale: str = "") -> str:
    """A sentence of ``stats.explain`` in a language that is shipped; one without a translation stays.

    Examples
    --------
    >>> meaning("runs inside"), meaning("runs inside", "fr")
    ('runs inside', 'passages présents dans le parcours')
    """
    return (sentence, *_MEANINGS.get(sentence, (sentence, sentence)))[place(locale)]
