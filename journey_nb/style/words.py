"""The one dictionary: every word a person reads, in English, French and Korean.

Keys are the data's own names (point types, kinds, reasons, columns), so that a table, a card and
a chart call one thing by one name. A key may hold ``{fields}`` to be filled in.
"""

from __future__ import annotations

import difflib

LOCALES: tuple[str, ...] = ("en", "fr", "ko")

# key: (English, French, Korean)
_WORDS: dict[str, tuple[str, str, str]] = {
    # Point types
    "entry_audience": ("Audience entry", "Entrée par audience", "오디언스 진입"),
    "entry_trigger": ("Trigger entry", "Entrée par événement", "트리거 진입"),
    "entry_api": ("API entry", "Entrée par API", "API 진입"),
    "message": ("Message", "Message", "메시지"),
    "webhook": ("Webhook", "Webhook", "웹훅"),
    "update_profile": ("Update profile", "Mise à jour du profil", "프로필 업데이트"),
    "rate_limit": ("Rate limit", "Limite de débit", "속도 제한"),
    "delay": ("Delay", "Délai", "지연"),
    "wait_for_trigger": ("Wait for trigger", "Attente d’un événement", "트리거 대기"),
    "split_condition": ("Condition split", "Condition", "조건 분기"),
    "split_segment": ("Segment split", "Répartition par segment", "세그먼트 분기"),
    "split_abn": ("A/B/n split", "Test A/B/n", "A/B/n 분기"),
    "reachability_check": ("Reachability check", "Contrôle d’accessibilité", "도달 가능 확인"),
    "exit": ("Exit", "Sortie", "종료"),
    "activity": ("Activity", "Activité", "활동"),
    # Channels
    "push": ("Push", "Push", "푸시"),
    "web_push": ("Web push", "Push web", "웹 푸시"),
    "email": ("Email", "E-mail", "이메일"),
    "sms": ("SMS", "SMS", "SMS"),
    "in_app": ("In-app", "In-app", "인앱"),
    "whatsapp": ("WhatsApp", "WhatsApp", "WhatsApp"),
    "line": ("LINE", "LINE", "LINE"),
    "kakao": ("Kakao", "Kakao", "카카오"),
    "other": ("Other", "Autre", "기타"),
    # Status of a journey and of a run; outcomes of visits and messages
    "draft": ("Draft", "Brouillon", "초안"),
    "running": ("Active", "Active", "진행 중"),
    "paused": ("Paused", "En pause", "일시 중지"),
    "finished": ("Finished", "Terminée", "종료됨"),
    "archived": ("Archived", "Archivée", "보관됨"),
    "in_progress": ("In progress", "En cours", "진행 중"),
    "completed": ("Completed", "Terminés", "완료"),
    "exited": ("Left early", "Partis avant la fin", "중도 이탈"),
    "dropped": ("Left by error", "Sortis par erreur", "오류 이탈"),
    "waiting": ("Waiting", "En attente", "대기 중"),
    "here": ("Here now", "Ici maintenant", "현재 위치"),
    # Entry types
    "audience": ("Audience", "Audience", "오디언스"),
    "trigger": ("Trigger", "Événement", "트리거"),
    "api": ("API", "API", "API"),
    "mixed": ("Mixed", "Mixte", "혼합"),
    # Branches
    "default": ("Next", "Suite", "다음"),
    "not_opened": ("Not opened", "Non ouvert", "열지 않음"),
    "not_delivered": ("Not delivered", "Non remis", "미전달"),
    "triggered_1": ("Trigger 1", "Événement 1", "트리거 1"),
    "triggered_2": ("Trigger 2", "Événement 2", "트리거 2"),
    "triggered_3": ("Trigger 3", "Événement 3", "트리거 3"),
    "not_triggered": ("Not triggered", "Sans événement", "트리거 없음"),
    "yes": ("Yes", "Oui", "예"),
    "no": ("No", "Non", "아니요"),
    "rest": ("Everyone else", "Les autres", "나머지"),
    "reachable": ("Reachable", "Joignable", "도달 가능"),
    "not_reachable": ("Not reachable", "Injoignable", "도달 불가"),
    "unknown": ("Unknown", "Inconnu", "알 수 없음"),
    # Kinds of events
    "run.entered": ("Entered the journey", "Entrée dans le parcours", "여정 진입"),
    "point.entered": ("Arrived at a step", "Arrivée à une étape", "단계 도착"),
    "wait.started": ("Began to wait", "Début d’attente", "대기 시작"),
    "message.sent": ("Message sent", "Message envoyé", "메시지 발송"),
    "message.failed": ("Message failed", "Échec d’envoi", "메시지 실패"),
    "message.skipped": ("Message skipped", "Message ignoré", "메시지 건너뜀"),
    "message.delivered": ("Message delivered", "Message remis", "메시지 전달"),
    "message.impression": ("Message shown", "Message affiché", "메시지 노출"),
    "message.opened": ("Message opened", "Message ouvert", "메시지 열람"),
    "message.clicked": ("Message clicked", "Clic sur le message", "메시지 클릭"),
    "message.interacted": ("Interaction", "Interaction", "상호작용"),
    "message.replied": ("Reply", "Réponse", "답장"),
    "message.dismissed": ("Message dismissed", "Message fermé", "메시지 닫음"),
    "message.unsubscribed": ("Unsubscribed", "Désabonnement", "수신 거부"),
    "message.complained": ("Complaint", "Plainte", "스팸 신고"),
    "goal.reached": ("Goal reached", "Objectif atteint", "목표 달성"),
    "point.skipped": ("Step skipped", "Étape ignorée", "단계 건너뜀"),
    "point.completed": ("Left a step", "Étape terminée", "단계 완료"),
    "run.exited": ("Left the journey", "Sortie du parcours", "여정 종료"),
    # Reasons of leaving
    "goal": ("Goal", "Objectif", "목표"),
    "cancel_event": ("Cancel event", "Événement d’annulation", "취소 이벤트"),
    "exit_criteria": ("Exit criteria met", "Critère de sortie", "종료 조건 충족"),
    "timed_out": ("Timed out", "Délai dépassé", "시간 초과"),
    "dead_end": ("Dead end", "Impasse", "막다른 단계"),
    "removed": ("Removed", "Retiré", "제거됨"),
    "journey_finished": ("Journey finished", "Parcours terminé", "여정 종료됨"),
    "version_removed": ("Version removed", "Version supprimée", "버전 삭제됨"),
    "account_suspended": ("Account suspended", "Compte suspendu", "계정 정지"),
    "time_unresolved": ("Time not resolved", "Heure indéterminée", "시간 확인 불가"),
    "device_not_found": ("Device not found", "Appareil introuvable", "기기를 찾을 수 없음"),
    "user_not_found": ("User not found", "Utilisateur introuvable", "사용자를 찾을 수 없음"),
    "user_mismatch": ("User mismatch", "Utilisateur différent", "사용자 불일치"),
    "filter_not_found": ("Filter not found", "Filtre introuvable", "필터를 찾을 수 없음"),
    "tag_not_found": ("Tag not found", "Balise introuvable", "태그를 찾을 수 없음"),
    "content_not_found": ("Content not found", "Contenu introuvable", "콘텐츠를 찾을 수 없음"),
    "request_error": ("Request error", "Erreur de requête", "요청 오류"),
    "quota_exceeded": ("Quota exceeded", "Quota dépassé", "할당량 초과"),
    "expired_in_pause": ("Expired during a pause", "Expiré pendant une pause", "일시 중지 중 만료"),
    "internal_unknown": ("Unknown internal error", "Erreur interne inconnue", "알 수 없는 내부 오류"),
    "app_uninstalled": ("App uninstalled", "Application désinstallée", "앱 삭제됨"),
    "token_invalid": ("Invalid token", "Jeton invalide", "잘못된 토큰"),
    "address_invalid": ("Invalid address", "Adresse invalide", "잘못된 주소"),
    "gateway_blocked": ("Blocked by the gateway", "Bloqué par la passerelle", "게이트웨이 차단"),
    "hard_bounce": ("Hard bounce", "Rejet définitif", "하드 바운스"),
    "carrier_rejected": ("Rejected by the carrier", "Refusé par l’opérateur", "통신사 거부"),
    "provider_error": ("Provider error", "Erreur du fournisseur", "제공업체 오류"),
    "send_unknown": ("Unknown send error", "Erreur d’envoi inconnue", "알 수 없는 발송 오류"),
    # Reasons of skips and waits
    "frequency_capped": ("Frequency cap", "Limite de fréquence", "빈도 제한"),
    "opted_out": ("Opted out", "Désinscrit", "수신 거부함"),
    "no_device": ("No device", "Aucun appareil", "기기 없음"),
    "control_group": ("Control group", "Groupe témoin", "대조군"),
    "quiet_hours_lapsed": ("Lapsed in quiet hours", "Expiré en heures calmes", "방해 금지 시간 경과"),
    "content_aborted": ("Content aborted", "Contenu annulé", "콘텐츠 중단"),
    "duplicate": ("Duplicate", "Doublon", "중복"),
    "rate_limited": ("Rate limited", "Débit limité", "속도 제한됨"),
    "filtered": ("Filtered", "Filtré", "필터링됨"),
    "skip_unknown": ("Skipped, reason unknown", "Ignoré, raison inconnue", "건너뜀, 이유 불명"),
    "silent_hours": ("Silent hours", "Heures silencieuses", "방해 금지 시간"),
    "send_time": ("Best send time", "Meilleure heure d’envoi", "최적 발송 시간"),
    "engagement": ("Engagement", "Engagement", "참여"),
    "wait_unknown": ("Waiting, reason unknown", "Attente, raison inconnue", "대기, 이유 불명"),
    # Columns: counts
    "entrances": ("Entrances", "Entrées", "진입"),
    "unique_entrants": ("Unique entrants", "Entrants uniques", "고유 진입자"),
    "messages_sent": ("Messages sent", "Messages envoyés", "발송 메시지"),
    "messages_opened": ("Messages opened", "Messages ouverts", "열람 메시지"),
    "drop_offs": ("Drop-offs", "Abandons", "이탈"),
    "internal_errors": ("Internal errors", "Erreurs internes", "내부 오류"),
    "internal_error": ("Internal error", "Erreur interne", "내부 오류"),
    "send_errors": ("Send errors", "Erreurs d’envoi", "발송 오류"),
    "send_error": ("Send error", "Erreur d’envoi", "발송 오류"),
    "goals_reached": ("Goals reached", "Objectifs atteints", "달성한 목표"),
    "in_journey_before": ("Inside at the start", "Présents au début", "시작 시 내부"),
    "in_journey": ("In journey now", "Dans le parcours", "현재 여정 내"),
    "in_journey_users": ("Users in journey", "Utilisateurs présents", "여정 내 사용자"),
    "exits": ("Exits", "Sorties", "종료"),
    "failed_messages": ("Failed messages", "Messages en échec", "실패 메시지"),
    "waiting_before": ("Waiting at the start", "En attente au début", "시작 시 대기"),
    "entered": ("Entered", "Entrés", "진입"),
    "skipped": ("Skipped", "Ignorés", "건너뜀"),
    "exits_goal": ("Left by goal", "Sortis par objectif", "목표 달성 종료"),
    "exits_cancel": ("Left by cancel event", "Sortis par annulation", "취소 이벤트 종료"),
    "goal_here": ("Goal reached here", "Objectif atteint ici", "여기서 목표 달성"),
    "goal_users": ("Goal users", "Utilisateurs convertis", "목표 달성 사용자"),
    "goals": ("Goals", "Objectifs", "목표"),
    "sent": ("Sent", "Envoyés", "발송"),
    "delivered": ("Delivered", "Remis", "전달"),
    "opened": ("Opened", "Ouverts", "열람"),
    "clicked": ("Clicked", "Cliqués", "클릭"),
    "shown": ("Shown", "Affichés", "노출"),
    "impressions": ("Impressions", "Affichages", "노출 수"),
    "interacted": ("Interacted", "Interactions", "상호작용"),
    "dismissed": ("Dismissed", "Fermés", "닫음"),
    "replied": ("Replied", "Réponses", "답장"),
    "failed": ("Failed", "Échecs", "실패"),
    "bounced": ("Bounced", "Rejetés", "반송"),
    "unsubscribed": ("Unsubscribed", "Désabonnés", "수신 거부"),
    "complained": ("Complained", "Plaintes", "스팸 신고"),
    "sent_users": ("Users sent to", "Destinataires", "발송 사용자"),
    "opened_users": ("Users who opened", "Utilisateurs ayant ouvert", "열람 사용자"),
    "clicked_users": ("Users who clicked", "Utilisateurs ayant cliqué", "클릭 사용자"),
    "goal_after_interaction": ("Goal after interaction", "Objectif après interaction", "상호작용 후 목표"),
    "goal_direct": ("Goal, direct", "Objectif direct", "직접 목표"),
    "goal_indirect": ("Goal, indirect", "Objectif indirect", "간접 목표"),
    "unattributed": ("Unattributed", "Non attribués", "미귀속"),
    "events": ("Events", "Événements", "이벤트"),
    "runs": ("Runs", "Passages", "실행"),
    "users": ("Users", "Utilisateurs", "사용자"),
    "count": ("Count", "Nombre", "수"),
    "value": ("Value", "Valeur", "금액"),
    # Columns: rates and statistics
    "open_rate": ("Open rate", "Taux d’ouverture", "열람률"),
    "click_rate": ("Click rate", "Taux de clic", "클릭률"),
    "conversion_rate": ("Conversion rate", "Taux de conversion", "전환율"),
    "user_rate": ("User rate", "Taux par utilisateur", "사용자 비율"),
    "run_rate": ("Run rate", "Taux par passage", "실행 비율"),
    "engagement_rate": ("Engagement rate", "Taux d’engagement", "참여율"),
    "goal_after_interaction_rate": ("Goal after interaction, rate", "Taux d’objectif après interaction", "상호작용 후 목표율"),
    "rate": ("Rate", "Taux", "비율"),
    "share": ("Share", "Part", "비중"),
    "assigned": ("Assigned", "Affectés", "배정"),
    "converted": ("Converted", "Convertis", "전환"),
    "difference": ("Difference", "Écart", "차이"),
    "lift": ("Lift", "Gain relatif", "상승률"),
    "p_value": ("p-value", "Valeur p", "p값"),
    "probability_best": ("Probability best", "Probabilité d’être le meilleur", "최고일 확률"),
    "is_control": ("Control", "Témoin", "대조군"),
    "immature": ("Window still open", "Fenêtre encore ouverte", "기간 진행 중"),
    "crossed": ("In two variants", "Dans deux variantes", "중복 배정"),
    "seconds_p50": ("Median time here", "Durée médiane", "중앙 체류 시간"),
    "seconds_p90": ("90th percentile time", "Durée, 90e centile", "90백분위 체류 시간"),
    "median": ("Median", "Médiane", "중앙값"),
    "low": ("Low", "Bas", "하한"),
    "high": ("High", "Haut", "상한"),
    "at_risk": ("At risk", "À risque", "관찰 대상"),
    "reached": ("Reached", "Atteints", "달성"),
    "survival": ("Not yet reached", "Pas encore atteint", "미달성 비율"),
    # Columns: names and times
    "point_id": ("Step id", "Identifiant d’étape", "단계 ID"),
    "title": ("Title", "Titre", "제목"),
    "type": ("Type", "Type", "유형"),
    "channel": ("Channel", "Canal", "채널"),
    "source": ("From", "De", "출발"),
    "branch": ("Branch", "Branche", "분기"),
    "target": ("To", "Vers", "도착"),
    "label": ("Label", "Libellé", "라벨"),
    "cause": ("Cause", "Cause", "원인"),
    "reason": ("Reason", "Raison", "이유"),
    "class": ("Class", "Classe", "분류"),
    "grain": ("Counted in", "Compté en", "집계 단위"),
    "outcome": ("Outcome", "Issue", "결과"),
    "status": ("Status", "Statut", "상태"),
    "variant": ("Variant", "Variante", "변형"),
    "goal_id": ("Goal id", "Identifiant d’objectif", "목표 ID"),
    "currency": ("Currency", "Devise", "통화"),
    "user_id": ("User", "Utilisateur", "사용자"),
    "device_id": ("Device", "Appareil", "기기"),
    "run_id": ("Run", "Passage", "실행"),
    "run_no": ("Run no.", "Passage n°", "실행 번호"),
    "step_no": ("Step", "Étape", "단계"),
    "message_id": ("Message id", "Identifiant du message", "메시지 ID"),
    "version": ("Version", "Version", "버전"),
    "last_step": ("Last step", "Dernière étape", "마지막 단계"),
    "last_point_id": ("Last step id", "Identifiant de la dernière étape", "마지막 단계 ID"),
    "entered_at": ("Entered at", "Entré le", "진입 시각"),
    "arrived_at": ("Arrived at", "Arrivé le", "도착 시각"),
    "updated_at": ("Updated at", "Mis à jour le", "최근 활동"),
    "left_at": ("Left at", "Parti le", "이탈 시각"),
    "oldest_since": ("Waiting since", "En attente depuis", "가장 오래된 대기"),
    "next_due": ("Next due", "Prochaine échéance", "다음 예정"),
    "date": ("Date", "Date", "날짜"),
    "day": ("Day", "Jour", "일"),
    "week": ("Week", "Semaine", "주"),
    "cohort": ("Cohort", "Cohorte", "코호트"),
    "age": ("Age", "Âge", "경과"),
    "metric": ("Metric", "Mesure", "지표"),
    "breakdown": ("Breakdown", "Répartition", "구분"),
    "path": ("Path", "Chemin", "경로"),
    "point": ("Step", "Étape", "단계"),
    "journey": ("Journey", "Parcours", "여정"),
    "run": ("Run", "Passage", "실행"),
    "rule": ("Rule", "Règle", "규칙"),
    "check": ("Check", "Contrôle", "검사"),
    "left": ("Left side", "Membre de gauche", "왼쪽 합"),
    "right": ("Right side", "Membre de droite", "오른쪽 합"),
    "gap": ("Gap", "Écart", "차이"),
    "visits": ("Visits", "Visites", "방문"),
    "arrivals": ("Arrivals", "Arrivées", "도착"),
    "credit": ("Credit", "Attribution", "기여"),
    "direct": ("Direct", "Directs", "직접"),
    "indirect": ("Indirect", "Indirects", "간접"),
    "treated": ("Treated", "Traités", "실험군"),
    "treated_reached": ("Treated who reached it", "Traités ayant atteint", "실험군 달성"),
    "treated_rate": ("Rate of the treated", "Taux des traités", "실험군 비율"),
    "control": ("Control", "Témoins", "대조군"),
    "control_reached": ("Control who reached it", "Témoins ayant atteint", "대조군 달성"),
    "control_rate": ("Rate of the control", "Taux des témoins", "대조군 비율"),
    "incremental_users": ("Users gained", "Utilisateurs gagnés", "증분 사용자"),
    "incremental_value": ("Value gained", "Valeur gagnée", "증분 금액"),
    "table": ("Table", "Tableau", "표"),
    "key": ("Key", "Clé", "키"),
    "column": ("Column", "Colonne", "열"),
    "mark": ("Mark", "Marque", "표시"),
    "rows": ("Rows", "Lignes", "행"),
    "example": ("Example", "Exemple", "예시"),
    "counts": ("Counts", "Ce qui est compté", "집계 대상"),
    "unit": ("Unit", "Unité", "단위"),
    "clock": ("Clock", "Horloge", "기준 시각"),
    "journey_id": ("Journey id", "Identifiant du parcours", "여정 ID"),
    "category": ("Category", "Catégorie", "카테고리"),
    "tags": ("Tags", "Étiquettes", "태그"),
    "created_at": ("Created at", "Créé le", "생성 시각"),
    "launched_at": ("Launched at", "Lancé le", "시작 시각"),
    "finished_at": ("Finished at", "Terminé le", "종료 시각"),
    "versions": ("Versions", "Versions", "버전"),
    "at": ("At", "Le", "시각"),
    "who": ("Who", "Qui", "작업자"),
    "action": ("Action", "Action", "작업"),
    "detail": ("Detail", "Détail", "세부 정보"),
    # What is done with a journey
    "add": ("Add", "Ajouter", "추가"),
    "launch": ("Launch", "Lancer", "시작"),
    "pause": ("Pause", "Mettre en pause", "일시 중지"),
    "relaunch": ("Relaunch", "Relancer", "다시 시작"),
    "stop": ("Stop for good", "Arrêter définitivement", "영구 중지"),
    "edit": ("Edit", "Modifier", "편집"),
    "archive": ("Archive", "Archiver", "보관"),
    "clone": ("Clone", "Dupliquer", "복제"),
    "rename": ("Rename", "Renommer", "이름 변경"),
    "status_here": (
        "Status in this store; nothing is sent to the sending platform.",
        "Statut dans cet espace ; rien n’est envoyé à la plateforme d’envoi.",
        "이 저장소에서의 상태이며, 발송 플랫폼에는 아무것도 전송되지 않습니다.",
    ),
    # Suffixes of columns
    "_prev": ("{column}, before", "{column}, avant", "{column}, 이전"),
    "_change": ("{column}, change", "{column}, évolution", "{column}, 변화"),
    "_low": ("{column}, low", "{column}, bas", "{column}, 하한"),
    "_small": ("{column}, few counted", "{column}, faible effectif", "{column}, 표본 적음"),
    "_high": ("{column}, high", "{column}, haut", "{column}, 상한"),
    # On the canvas; short, for a card has little room
    "card.exited": ("Left early", "Partis", "중도 이탈"),
    "card.dropped": ("Errors", "Erreurs", "오류"),
    "card.waiting": ("Here now", "Ici", "현재 위치"),
    "card.goal_here": ("Goal here", "Objectif ici", "여기서 목표"),
    "card.seconds_p50": ("Median stay", "Durée méd.", "중앙 체류"),
    "by_unknown": ("Unknown branch: {count}", "Branche inconnue : {count}", "알 수 없는 분기: {count}"),
    "by_others": ("Other branches: {count}", "Autres branches : {count}", "다른 분기: {count}"),
    "off_by": ("Does not add up: {gap}", "Écart : {gap}", "합계 불일치: {gap}"),
    "account": (
        "{waiting_before} waiting at the start + {entered} entered; "
        "{completed} completed + {waiting} waiting + {exited} left early + {dropped} left by error",
        "{waiting_before} en attente au début + {entered} entrés ; "
        "{completed} terminés + {waiting} en attente + {exited} partis avant la fin + {dropped} sortis par erreur",
        "시작 시 대기 {waiting_before} + 진입 {entered}; "
        "완료 {completed} + 대기 {waiting} + 중도 이탈 {exited} + 오류 이탈 {dropped}",
    ),
    "winner": ("Winner: {variant}", "Gagnante : {variant}", "승자: {variant}"),
    "no_difference": ("No difference yet", "Pas encore d’écart", "아직 차이 없음"),
    "too_few": ("Too few to tell", "Trop peu pour conclure", "표본 부족"),
    "unequal_split": ("Unequal split", "Répartition inégale", "불균등 배정"),
    "too_early": ("Too early to tell", "Trop tôt pour conclure", "아직 판단하기 이름"),
    "elsewhere": ("Not on this version", "Absents de cette version", "이 버전에 없음"),
    "all_versions": (
        "counts of all {count} versions, whose branches may lead elsewhere",
        "comptes des {count} versions, dont les branches peuvent mener ailleurs",
        "{count}개 버전 전체 집계, 분기 대상은 버전마다 다를 수 있음",
    ),
    "version_n": ("Version {version}", "Version {version}", "버전 {version}"),
    "no_points": ("This version has no points.", "Cette version n’a aucune étape.", "이 버전에는 단계가 없습니다."),
    "canvas_alt": (
        "Journey “{title}”, version {version}: {points} steps and {branches} branches, drawn from top to bottom.",
        "Parcours « {title} », version {version} : {points} étapes et {branches} branches, de haut en bas.",
        "여정 “{title}”, 버전 {version}: 단계 {points}개와 분기 {branches}개를 위에서 아래로 그림.",
    ),
    "canvas_entered": ("{count} runs started.", "{count} passages commencés.", "실행 {count}건 시작."),
    "canvas_waiting": ("{count} are waiting.", "{count} en attente.", "{count}건 대기 중."),
    "canvas_dropped": ("{count} left by error.", "{count} sortis par erreur.", "{count}건 오류 이탈."),
    "canvas_busiest": ("Most entered step: {title} ({count}).", "Étape la plus fréquentée : {title} ({count}).", "가장 많이 진입한 단계: {title} ({count})."),
    "canvas_gaps": ("Steps that do not add up: {count}.", "Étapes qui ne s’équilibrent pas : {count}.", "{count}개 단계의 합계가 맞지 않음."),
    "canvas_path": ("A path of {count} steps is highlighted: {path}.", "Un chemin de {count} étapes est mis en évidence : {path}.", "{count}단계 경로 강조: {path}."),
    "clock_activity": ("each event at its own time", "chaque événement à sa date", "이벤트 발생 시각 기준"),
    "clock_cohort": ("the runs that entered, followed up", "les passages entrés, suivis ensuite", "진입한 실행 추적 기준"),
    "canvas_bare": ("The design, without numbers.", "La conception, sans chiffres.", "숫자 없는 설계."),
    # In reports
    "entry_mixed": ("Mixed entry", "Entrée mixte", "혼합 진입"),
    "version_alone": ("version {version} counted alone", "version {version} seule comptée", "버전 {version}만 집계"),
    "version_of": ("version {version} of {count}; all counted", "version {version} sur {count} ; toutes comptées", "버전 {version}/{count}, 모두 집계"),
    "one_day": ("{day} (1 day)", "{day} (1 jour)", "{day} (1일)"),
    "days": ("{first} – {last} ({count} days)", "{first} – {last} ({count} jours)", "{first} – {last} ({count}일)"),
    "no_days": ("an empty period", "une période vide", "빈 기간"),
    "by_activity": ("activity clock: {what}", "horloge d’activité : {what}", "활동 기준: {what}"),
    "by_cohort": ("cohort clock: {what}", "horloge de cohorte : {what}", "코호트 기준: {what}"),
    "as_of": ("as of {moment}", "état au {moment}", "{moment} 기준 상태"),
    "machines": ("opens and clicks by machines counted", "ouvertures et clics automatiques comptés", "자동 열람과 클릭 포함"),
    "some_runs": ("some runs only", "certains passages seulement", "일부 실행만"),
    "account_rows": (
        "Rows of the log: {read} read = {loaded} loaded + {duplicates} duplicates + {quarantined} quarantined.",
        "Lignes du journal : {read} lues = {loaded} chargées + {duplicates} doublons + {quarantined} en quarantaine.",
        "로그 행: 읽음 {read} = 적재 {loaded} + 중복 {duplicates} + 격리 {quarantined}.",
    ),
    "account_runs": (
        "Runs: {before} inside at the start + {entrances} entrances = {completed} completed + {early} left early "
        "+ {dropped} left by error + {inside} in journey.",
        "Passages : {before} présents au début + {entrances} entrées = {completed} terminés + {early} partis avant la fin "
        "+ {dropped} sortis par erreur + {inside} dans le parcours.",
        "실행: 시작 시 내부 {before} + 진입 {entrances} = 완료 {completed} + 중도 이탈 {early} "
        "+ 오류 이탈 {dropped} + 현재 여정 내 {inside}.",
    ),
    "checks_fine": ("All {count} checks add up.", "Les {count} contrôles sont justes.", "검사 {count}개가 모두 맞습니다."),
    "checks_off": (
        "{gaps} of {count} checks do not add up:",
        "{gaps} contrôles sur {count} ne sont pas justes :",
        "검사 {count}개 중 {gaps}개가 맞지 않습니다:",
    ),
    "quarantine": (
        "Quarantined rows by the rule they broke",
        "Lignes en quarantaine, par règle enfreinte",
        "위반 규칙별 격리된 행",
    ),
    "no_split": ("This journey has no A/B/n split.", "Ce parcours n’a aucun test A/B/n.", "이 여정에는 A/B/n 분기가 없습니다."),
    "no_goal": ("This journey has no goal.", "Ce parcours n’a aucun objectif.", "이 여정에는 목표가 없습니다."),
    "verdict": ("Verdict: {verdict}.", "Verdict : {verdict}.", "판정: {verdict}."),
    "verdict.winner": ("winner {variant}", "{variant} gagne", "{variant} 승"),
    "verdict.no difference yet": ("no difference yet", "pas encore d’écart", "아직 차이 없음"),
    "verdict.too few": ("too few", "trop peu pour conclure", "표본 부족"),
    "verdict.unequal split": ("unequal split", "répartition inégale", "불균등 배정"),
    "verdict.too early": ("too early", "trop tôt pour conclure", "아직 판단하기 이름"),
    "crossed_users": (
        "{count} users were seen in two variants and stand in none.",
        "{count} utilisateurs ont été vus dans deux variantes et ne comptent dans aucune.",
        "두 변형에서 확인된 사용자 {count}명은 어느 변형에도 포함되지 않습니다.",
    ),
    "uneven_split": (
        "A split as uneven as this has probability {probability} by chance.",
        "Une répartition aussi inégale a une probabilité de {probability} par hasard.",
        "이 정도로 불균등한 배정이 우연히 생길 확률은 {probability}입니다.",
    ),
    # Around pictures and tables
    "table_of": ("Table: {title}", "Tableau : {title}", "표: {title}"),
    "points": ("Steps", "Étapes", "단계"),
    "branches": ("Branches", "Branches", "분기"),
    "drops": ("Drop-offs", "Abandons", "이탈"),
    "messages": ("Messages", "Messages", "메시지"),
    "communications": ("Channels", "Canaux", "채널"),
    "delivery_issues": ("Delivery issues", "Problèmes de remise", "전달 문제"),
    "variants": ("Variants", "Variantes", "변형"),
    "health": ("Health", "Santé", "상태"),
    "daily": ("By day", "Par jour", "일별"),
    "user_path": ("The user’s path", "Chemin de l’utilisateur", "사용자 경로"),
    "time_to_goal": ("Time to goal", "Délai avant l’objectif", "목표까지의 시간"),
    "cohorts": ("Cohorts", "Cohortes", "코호트"),
    "paths": ("Paths", "Chemins", "경로"),
    "more_rows": ("+ {count} more rows", "+ {count} lignes de plus", "+ {count}행 더"),
    "no_rows": ("No rows", "Aucune ligne", "행 없음"),
    "small": ("Fewer than 30 counted", "Moins de 30 comptés", "30건 미만"),
    "mixed_cohorts": (
        "Includes goals of earlier entrants",
        "Comprend les objectifs d’entrants antérieurs",
        "이전 진입자의 목표 포함",
    ),
    "true": ("Yes", "Oui", "예"),
    "false": ("No", "Non", "아니요"),
    "previous": ("was {value}", "avant {value}", "이전 {value}"),
    "failed_part": ("Not available: {error}", "Indisponible : {error}", "표시할 수 없음: {error}"),
}  # fmt: skip


def _place(locale: str) -> int:
    language = locale.split("-")[0].split("_")[0].lower()
    return LOCALES.index(language) if language in LOCALES else 0


def word(key: str, locale: str = "en", **fields: object) -> str:
    """The word a person reads for a key; English where the language is not shipped.

    Raises
    ------
    KeyError
        When the dictionary has no such key; the message names the nearest ones.

    Examples
    --------
    >>> word("not_opened"), word("delay", "ko"), word("off_by", "fr", gap="+3")
    ('Not opened', '지연', 'Écart : +3')
    """
    if key not in _WORDS:
        close = difflib.get_close_matches(key, _WORDS, n=2)
        hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
        raise KeyError(f"no word {key!r} in the dictionary{hint}")
    text = _WORDS[key][_place(locale)]
    return text.format(**fields) if fields else text


def column(name: str, locale: str = "en") -> str:
    """The heading of a column; a name of the reader's own stays, made readable.

    Examples
    --------
    >>> column("open_rate_prev"), column("country_code")
    ('Open rate, before', 'Country code')
    """
    if name in _WORDS and "{" not in _WORDS[name][0]:
        return word(name, locale)
    for suffix in ("_prev", "_change", "_low", "_high", "_small"):
        if name.endswith(suffix) and name != suffix:
            return word(suffix, locale, column=column(name.removesuffix(suffix), locale))
    text = name.replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def value(text: str, locale: str = "en") -> str:
    """The word for a value of a table (a reason, a type, a status), or the value itself.

    Examples
    --------
    >>> value("hard_bounce"), value("Paris")
    ('Hard bounce', 'Paris')
    """
    return word(text, locale) if text in _WORDS and "{" not in _WORDS[text][0] else text
