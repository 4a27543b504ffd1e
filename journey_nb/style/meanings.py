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
    "in-app messages dismissed, interacted with or not": (
        "messages in-app fermés, avec ou sans interaction",
        "닫힌 인앱 메시지 (상호작용 여부와 무관)",
    ),
    "sent messages with a reply": (
        "messages envoyés ayant reçu une réponse",
        "답장을 받은 발송 메시지",
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
    "email and whatsapp delivered (not bounced, if under 1 % of the sends have a receipt), in_app shown, others sent": (
        "e-mail et WhatsApp remis (non rejetés si moins de 1 % des envois ont un accusé), in-app affichés, autres envoyés",
        "이메일과 WhatsApp은 전달 (수신 확인이 발송의 1% 미만이면 반송되지 않은 발송), 인앱은 노출, 그 외 발송",
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
    # On the canvas
    "visits open as the period begins": ("visites en cours au début de la période", "기간 시작 시 열린 방문"),
    "arrivals; a loop counts each time": ("arrivées ; une boucle compte à chaque fois", "도착 수; 반복은 매번 집계"),
    "visits left by a branch, or by a run that ended as completed": (
        "visites quittées par une branche, ou par un passage arrivé à son terme",
        "분기로 나갔거나 완료로 끝난 실행의 방문",
    ),
    "visits open": ("visites en cours", "열린 방문"),
    "visits closed by a run that left without an error": (
        "visites closes par un passage sorti sans erreur",
        "오류 없이 나간 실행이 닫은 방문",
    ),
    "visits closed by a run that an error dropped (left by error)": (
        "visites closes par un passage sorti par erreur",
        "오류로 이탈한 실행이 닫은 방문",
    ),
    "completed visits whose action was passed over": (
        "visites terminées dont l’action a été ignorée",
        "동작을 건너뛰고 완료된 방문",
    ),
    "of exited, by a goal that ends the journey": (
        "dont par un objectif qui met fin au parcours",
        "그중 여정을 끝내는 목표에 의한 것",
    ),
    "of exited, by a cancel event": ("dont par un événement d’annulation", "그중 취소 이벤트에 의한 것"),
    "users whose run stood here when it first reached a goal in the period": (
        "utilisateurs dont le passage se trouvait ici au premier objectif atteint dans la période",
        "기간 중 처음 목표에 도달할 때 실행이 이 단계에 있던 사용자",
    ),
    "median time of the visits completed in the period": (
        "durée médiane des visites terminées dans la période",
        "기간 중 완료된 방문의 중앙 시간",
    ),
    "time that 90 % of the visits completed in the period did not exceed": (
        "durée que 90 % des visites terminées dans la période n’ont pas dépassée",
        "기간 중 완료된 방문의 90%가 넘지 않은 시간",
    ),
    "traversals": ("traversées", "통과 횟수"),
    "distinct users who took it": ("utilisateurs distincts qui l’ont prise", "통과한 고유 사용자"),
    "share of the source's traversals": ("part des traversées de l’origine", "출발 단계 통과 중 비중"),
    "the source's traversals by known branches": (
        "traversées de l’origine par des branches connues",
        "알려진 분기를 통한 출발 단계 통과",
    ),
    "open visits": ("visites en cours", "열린 방문"),
    "distinct users who stand there": ("utilisateurs distincts présents", "현재 있는 고유 사용자"),
    "messages of which the first such response came then": (
        "messages dont la première réponse de ce genre est venue alors",
        "그 시간에 첫 반응이 온 메시지",
    ),
    "runs dropped, or messages lost": ("passages sortis par erreur, ou messages perdus", "오류 이탈 실행 또는 손실 메시지"),
    "they have waited at least so long; null: since before the log begins": (
        "en attente depuis au moins cette durée ; vide : depuis avant le début du journal",
        "최소 이 시간만큼 대기; 빈 값: 로그 시작 전부터",
    ),
    "it took at least so long from the sending": (
        "au moins cette durée depuis l’envoi",
        "발송 후 최소 이 시간",
    ),
    "and less than this; null: no end": ("et moins que cela ; vide : sans fin", "이보다 짧음; 빈 값: 상한 없음"),
    # Paths and tests
    "runs that entered in the period and went that way": (
        "passages entrés dans la période et allés par là",
        "기간 중 진입해 이 경로로 간 실행",
    ),
    "distinct users of these runs": ("utilisateurs distincts de ces passages", "이 실행들의 고유 사용자"),
    "share of all runs that entered": ("part de tous les passages entrés", "진입한 전체 실행 중 비중"),
    "runs that entered in the period": ("passages entrés dans la période", "기간 중 진입한 실행"),
    "of these runs, those that reached a goal": ("dont ceux qui ont atteint un objectif", "이 중 목표에 도달한 실행"),
    "share of these runs that reached a goal": (
        "part de ces passages qui ont atteint un objectif",
        "이 실행 중 목표에 도달한 비율",
    ),
    "what began in the period, followed up to as_of, on either clock": (
        "ce qui a commencé dans la période, suivi jusqu’à la date d’observation, quelle que soit l’horloge",
        "기간 중 시작된 것을 관찰 시점까지 추적 (기준 시각과 무관)",
    ),
    "units first assigned in the period; users seen in two variants are crossed and in none": (
        "unités affectées d’abord dans la période ; les utilisateurs vus dans deux variantes ne comptent dans aucune",
        "기간 중 처음 배정된 단위; 두 변형에서 확인된 사용자는 제외",
    ),
    "of these, those who reached the goal after the assignment, inside a window": (
        "dont ceux qui ont atteint l’objectif après l’affectation, dans une fenêtre",
        "이 중 배정 후 기간 내에 목표에 도달한 수",
    ),
    "share of the assigned who converted": ("part des affectés qui ont converti", "배정된 수 중 전환한 비율"),
    "rate less the control's": ("taux moins celui du témoin", "비율에서 대조군 비율을 뺀 값"),
    "lower 95 % bound (Newcombe; always valid if sequential)": (
        "borne inférieure à 95 % (Newcombe ; toujours valide en séquentiel)",
        "95% 하한 (Newcombe; 순차 분석에서 항상 유효)",
    ),
    "upper 95 % bound (Newcombe; always valid if sequential)": (
        "borne supérieure à 95 % (Newcombe ; toujours valide en séquentiel)",
        "95% 상한 (Newcombe; 순차 분석에서 항상 유효)",
    ),
    "difference relative to the control's rate": ("écart relatif au taux du témoin", "대조군 비율 대비 차이"),
    "two-proportion test against the control, adjusted by Holm over the variants": (
        "test de deux proportions contre le témoin, ajusté par Holm sur les variantes",
        "대조군과의 두 비율 검정, 변형 수에 대해 Holm 보정",
    ),
    "that its true rate is the highest (beta-binomial, uniform prior)": (
        "que son taux réel soit le plus haut (bêta-binomial, a priori uniforme)",
        "실제 비율이 가장 높을 확률 (베타-이항, 균등 사전)",
    ),
    "lower 95 % Wilson bound": ("borne inférieure de Wilson à 95 %", "윌슨 95% 하한"),
    "upper 95 % Wilson bound": ("borne supérieure de Wilson à 95 %", "윌슨 95% 상한"),
    "whether it rests on fewer than 30: the small mark": (
        "si cela repose sur moins de 30 : marque « petit »",
        "30개 미만에 근거하는지 여부: 소표본 표시",
    ),
    "the same in the period before,": ("le même nombre sur la période précédente", "이전 기간의 같은 값"),
    "relative change against the period before": (
        "variation relative par rapport à la période précédente",
        "이전 기간 대비 상대 변화",
    ),
    "of the assigned, those whose window is still open": (
        "parmi les affectés, ceux dont la fenêtre est encore ouverte",
        "배정된 수 중 기간이 아직 진행 중인 수",
    ),
    # What a report's definitions say beside: ids and words, the campaign statistics, units
    "none: it is as designed": ("aucune : tel que conçu", "없음: 설계된 값"),
    "the goal's id": ("l’identifiant de l’objectif", "목표의 ID"),
    "the goal's title": ("le titre de l’objectif", "목표의 제목"),
    "the currency of the value; currencies are never added": (
        "la devise du montant ; les devises ne s’additionnent jamais",
        "금액의 통화; 서로 다른 통화는 합산하지 않음",
    ),
    "the channel of a message's first row; of a point without messages the designed one": (
        "le canal de la première ligne d’un message ; pour une étape sans message, celui qui est prévu",
        "메시지 첫 행의 채널; 메시지가 없는 단계는 설계된 채널",
    ),
    "the point's id, the same in every version": (
        "l’identifiant de l’étape, le même dans toutes les versions",
        "모든 버전에서 같은 단계 ID",
    ),
    "the point's title as the shown version has it, else the newest": (
        "le titre de l’étape dans la version affichée, sinon dans la plus récente",
        "표시된 버전의 단계 제목, 없으면 최신 버전의 제목",
    ),
    "what kind of point it is": ("le type d’étape", "단계의 종류"),
    "failed, bounced or skipped": ("en échec, rejeté ou ignoré", "실패, 반송 또는 건너뜀"),
    "why; a vendor's unknown word stays in reason_detail": (
        "la raison ; un mot inconnu de l’outil d’envoi reste dans reason_detail",
        "이유; 발송 도구의 알 수 없는 표현은 reason_detail에 남음",
    ),
    "days after the run's end in which it still counts": (
        "jours après la fin du passage pendant lesquels il compte encore",
        "실행 종료 후에도 집계되는 일수",
    ),
    "the journey's title, else its id": (
        "le titre du parcours, à défaut son identifiant",
        "여정의 제목, 없으면 ID",
    ),
    "Draft, Active, Paused, Finished or Archived": (
        "Draft (brouillon), Active, Paused (en pause), Finished (terminée) ou Archived (archivée)",
        "Draft(초안), Active(진행 중), Paused(일시 중지), Finished(종료됨) 또는 Archived(보관됨)",
    ),
    "when the journey was made, with offset": (
        "date de création du parcours, avec décalage horaire",
        "여정이 만들어진 시각, 시차 포함",
    ),
    "the journey's category": ("la catégorie du parcours", "여정의 카테고리"),
    "AudienceBased, TriggerBased, ApiBased or Mixed": (
        "AudienceBased (audience), TriggerBased (événement), ApiBased (API) ou Mixed (mixte)",
        "AudienceBased(오디언스), TriggerBased(이벤트), ApiBased(API) 또는 Mixed(혼합)",
    ),
    "the journey's id": ("l’identifiant du parcours", "여정의 ID"),
    "distinct users dropped, or exited other than by goal": (
        "utilisateurs distincts sortis par erreur, ou partis autrement que par un objectif",
        "오류로 이탈했거나 목표 이외의 이유로 나간 고유 사용자",
    ),
    "share of the messages sent that were clicked, pooled over channels that report clicks": (
        "part des messages envoyés qui ont été cliqués, tous canaux qui signalent les clics confondus",
        "클릭을 보고하는 모든 채널을 합쳐 발송 메시지 중 클릭된 비율",
    ),
    "distinct users who reached any goal": (
        "utilisateurs distincts ayant atteint un objectif quelconque",
        "어느 목표든 달성한 고유 사용자",
    ),
    "messages sent by push": ("messages envoyés par push", "푸시로 발송된 메시지"),
    "messages sent by email": ("messages envoyés par e-mail", "이메일로 발송된 메시지"),
    "messages sent by SMS": ("messages envoyés par SMS", "SMS로 발송된 메시지"),
    "messages sent by WhatsApp": ("messages envoyés par WhatsApp", "WhatsApp으로 발송된 메시지"),
    "messages sent by LINE": ("messages envoyés par LINE", "LINE으로 발송된 메시지"),
    "messages sent by Kakao": ("messages envoyés par Kakao", "카카오로 발송된 메시지"),
    "messages sent by web push": ("messages envoyés par web push", "웹 푸시로 발송된 메시지"),
    "messages sent by webhook": ("messages envoyés par webhook", "웹훅으로 발송된 메시지"),
    "messages sent by SMS with a delivery receipt": (
        "messages envoyés par SMS avec accusé de remise",
        "SMS로 발송되어 전달 확인을 받은 메시지",
    ),
    "messages sent by LINE with a delivery receipt": (
        "messages envoyés par LINE avec accusé de remise",
        "LINE으로 발송되어 전달 확인을 받은 메시지",
    ),
    "messages sent by Kakao with a delivery receipt": (
        "messages envoyés par Kakao avec accusé de remise",
        "카카오로 발송되어 전달 확인을 받은 메시지",
    ),
    "messages sent by WhatsApp that were opened": (
        "messages envoyés par WhatsApp puis ouverts",
        "WhatsApp으로 발송되어 열람된 메시지",
    ),
    "messages by webhook that failed and were never sent": (
        "messages par webhook en échec, jamais envoyés",
        "웹훅에서 실패하여 발송되지 않은 메시지",
    ),
    "share of the push messages sent that were clicked": (
        "part des messages push envoyés qui ont été cliqués",
        "발송된 푸시 메시지 중 클릭된 비율",
    ),
    "share of the email messages sent that were clicked": (
        "part des e-mails envoyés qui ont été cliqués",
        "발송된 이메일 중 클릭된 비율",
    ),
    "share of the LINE messages sent that were clicked": (
        "part des messages LINE envoyés qui ont été cliqués",
        "발송된 LINE 메시지 중 클릭된 비율",
    ),
    "share of the Kakao messages sent that were clicked": (
        "part des messages Kakao envoyés qui ont été cliqués",
        "발송된 카카오 메시지 중 클릭된 비율",
    ),
    "share of the web push messages sent that were clicked": (
        "part des messages web push envoyés qui ont été cliqués",
        "발송된 웹 푸시 메시지 중 클릭된 비율",
    ),
    "click events of the email messages sent": (
        "clics dans les e-mails envoyés, chacun compté",
        "발송된 이메일에서 발생한 모든 클릭",
    ),
    "distinct users who unsubscribed from one of them": (
        "utilisateurs distincts désabonnés depuis l’un d’eux",
        "그중 하나에서 수신을 거부한 고유 사용자",
    ),
    "impressions": ("affichages", "노출"),
    "distinct users who interacted with an in-app message": (
        "utilisateurs distincts ayant interagi avec un message in-app",
        "인앱 메시지와 상호작용한 고유 사용자",
    ),
    "distinct users who dismissed one and never interacted": (
        "utilisateurs distincts en ayant fermé un sans jamais interagir",
        "인앱 메시지를 닫기만 하고 상호작용하지 않은 고유 사용자",
    ),
    "money of all goals reached inside their window; a column for each currency": (
        "montant de tous les objectifs atteints dans leur fenêtre ; une colonne par devise",
        "전환 기간 안에 달성된 모든 목표의 금액; 통화마다 한 열",
    ),
    "runs": ("passages", "실행"),
    "messages": ("messages", "메시지"),
    "users": ("utilisateurs", "사용자"),
    "visits": ("visites", "방문"),
    "clicks": ("clics", "클릭"),
    "reachings": ("atteintes", "달성"),
    "seconds": ("secondes", "초"),
    "money": ("montant", "금액"),
    "text": ("texte", "텍스트"),
    "share, 0 to 1": ("part, de 0 à 1", "비율, 0~1"),
}  # fmt: skip


def meaning(sentence: str, locale: str = "") -> str:
    """A sentence of ``stats.explain`` in a language that is shipped; one without a translation stays.

    Examples
    --------
    >>> meaning("runs inside"), meaning("runs inside", "fr")
    ('runs inside', 'passages présents dans le parcours')
    """
    return (sentence, *_MEANINGS.get(sentence, (sentence, sentence)))[place(locale)]
