# SPDX-License-Identifier: LGPL-2.1-or-later
# What reports of migrations foretold beside what came, as a Markdown table,
# with the share that is within 10 %. Reports without a prediction are left
# out, but for the downtime that was predicted at the stop. Usage:
#   jq -rn -f foretold.jq REPORT...
def percent: . * 100 | round | tostring + " %";
def whole: if . == null then "-" else round | tostring end;
def within: map(select(. != null)) |
    if length == 0 then "-" else
        "\(map(select(fabs <= 0.1)) | length) of \(length)" end;
def error($foretold; $came): if $foretold == null or ($came // 0) == 0
    then null else $foretold / $came - 1 end;
[inputs | {
    name: (input_filename | sub(".*/"; "") | sub("\\.json$"; "")),
    total: .prediction.predicted.total_ms.expected,
    total_came: .prediction.actual.total_ms,
    downtime: .prediction.predicted.downtime_ms.expected,
    stop: ((.rounds[-1].predicted_downtime_ms | select(. > 0)) // null),
    came: .downtime_ms.engine
} | . + {
    total_off: error(.total; .total_came),
    downtime_off: error(.downtime; .came),
    stop_off: error(.stop; .came)
}] |
    "\n### Foretold and come\n",
    "| run | total foretold, ms | came | error | downtime foretold, ms" +
    " | at the stop | came | error | at the stop |",
    "|---|---|---|---|---|---|---|---|---|",
    (.[] | "| \(.name) | \(.total | whole) | \(.total_came | whole) | " +
        "\(.total_off | if . == null then "-" else percent end) | " +
        "\(.downtime | whole) | \(.stop | whole) | \(.came | whole) | " +
        "\(.downtime_off | if . == null then "-" else percent end) | " +
        "\(.stop_off | if . == null then "-" else percent end) |"),
    "| within 10 % | | | \(map(.total_off) | within) | | | | " +
    "\(map(.downtime_off) | within) | \(map(.stop_off) | within) |"
