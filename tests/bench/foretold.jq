# SPDX-License-Identifier: LGPL-2.1-or-later
# What reports of migrations foretold beside what came, as a Markdown table,
# with the share that is within 10 % and the median of the errors' sizes.
# Reports without a prediction are left out, but for the downtime that was
# predicted at the stop. Usage:
#   jq -rn -f foretold.jq REPORT...
def percent: . * 100 | round | tostring + " %";
def known(f): if . == null then "-" else f | tostring end;
def within: map(select(. != null)) |
    if length == 0 then "-" else
        "\(map(select(fabs <= 0.1)) | length) of \(length)" end;
def middle: map(select(. != null) | fabs) | sort | if length == 0 then "-"
    else (.[(length - 1) / 2 | floor] + .[length / 2 | floor]) / 2 | percent
    end;
def error($foretold; $came): if $foretold == null or ($came // 0) == 0
    then null else $foretold / $came - 1 end;
[inputs | {
    name: (input_filename | sub(".*/"; "") | sub("\\.json$"; "")),
    pace: .prediction.predicted.pace.expected,
    bytes: .prediction.predicted.bytes.expected,
    bytes_came: .prediction.actual.bytes,
    total: .prediction.predicted.total_ms.expected,
    total_came: .prediction.actual.total_ms,
    downtime: .prediction.predicted.downtime_ms.expected,
    stop: ((.rounds[-1].predicted_downtime_ms | select(. > 0)) // null),
    came: .downtime_ms.engine
} | . + {
    bytes_off: error(.bytes; .bytes_came),
    total_off: error(.total; .total_came),
    downtime_off: error(.downtime; .came),
    stop_off: error(.stop; .came)
}] |
    "\n### Foretold and come\n",
    "| run | pace | MB foretold | came | error | total foretold, ms | came" +
    " | error | downtime foretold, ms | at the stop | came | error" +
    " | at the stop |",
    "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    (.[] | "| \(.name) | \(.pace | known(. * 100 | round / 100)) | " +
        "\(.bytes | known(. / 1e6 | round)) | " +
        "\(.bytes_came | known(. / 1e6 | round)) | " +
        "\(.bytes_off | known(percent)) | " +
        "\(.total | known(round)) | \(.total_came | known(round)) | " +
        "\(.total_off | known(percent)) | " +
        "\(.downtime | known(round)) | \(.stop | known(round)) | " +
        "\(.came | known(round)) | \(.downtime_off | known(percent)) | " +
        "\(.stop_off | known(percent)) |"),
    "| within 10 % | | | | \(map(.bytes_off) | within) | | | " +
    "\(map(.total_off) | within) | | | | \(map(.downtime_off) | within) | " +
    "\(map(.stop_off) | within) |",
    "| median size of the error | | | | \(map(.bytes_off) | middle) | | | " +
    "\(map(.total_off) | middle) | | | | \(map(.downtime_off) | middle) | " +
    "\(map(.stop_off) | middle) |"
