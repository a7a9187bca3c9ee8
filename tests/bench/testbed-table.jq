# SPDX-License-Identifier: LGPL-2.1-or-later
# The results of testbed.sh as a Markdown table: medians, the least and the
# most in brackets, and the ratio of the medians, of each saver to stock.
def median: sort | if length == 0 then null
    elif length % 2 == 1 then .[length / 2 | floor]
    else (.[length / 2 - 1] + .[length / 2]) / 2 end;
def decimals($n): (. * pow(10; $n) | round) / pow(10; $n) | tostring;
def known: map(select(. != null));
def cell($scale; $n): known | if length == 0 then "-" else
    "\(median / $scale | decimals($n)) (\(min / $scale | decimals($n))" +
    " to \(max / $scale | decimals($n)))" end;
def ratio($a; $b): ($a | known | median) as $x | ($b | known | median) as $y |
    if $x == null or $y == null or $x == 0 then "-"
    else $y / $x | decimals(2) end;
def row($stock; $ours; $key; $name; $scale; $n):
    ($stock | map(.[$key])) as $s | ($ours | map(.[$key])) as $o |
    "| \($name) | \($s | cell($scale; $n)) | \($o | cell($scale; $n)) |" +
    " \(ratio($s; $o)) |";
def table($stock; $name):
    (map(select(.saver == $name and .ok))) as $o |
    "",
    "| | stock (\($stock | length) runs) | \($name) (\($o | length) runs)" +
    " | ratio |",
    "|---|---|---|---|",
    row($stock; $o; "bytes"; "MB on the wire"; 1e6; 1),
    row($stock; $o; "total_ms"; "seconds in all"; 1e3; 1),
    row($stock; $o; "engine_ms"; "engine downtime, ms"; 1; 0),
    row($stock; $o; "resumed_ms"; "until it is said to run, ms"; 1; 0),
    row($stock; $o; "guest_ms"; "downtime in the guest, ms"; 1; 0),
    row($stock; $o; "client_ms"; "downtime on the network, ms"; 1; 0);
.runs | group_by([.workload, .link]) | sort_by(.[0].link != "none") | .[] |
    (map(select(.saver == "stock" and .ok))) as $stock |
    (map(.saver) | unique - ["stock"]) as $others |
    "\n### \(.[0].workload), " + (if .[0].link == "none" then
        "unlimited link" else "link of \(.[0].link)" end),
    table($stock; (if $others == [] then ["ours"] else $others end)[]),
    (length as $all | map(select(.ok | not)) | if length > 0 then
        "\n\(length) of \($all) runs failed: " +
        (map("\(.saver): \(.why)") | join("; ")) else empty end)
