-- Each is true or false, never null, so that `not` means what it says. $p is the path, $x the operand as JSON.

-- filter_null --
(coalesce(json_type(i.value, :$p), 'null') = 'null')

-- filter_equal --
(case when json_type(:$x) in ('array', 'object') then json_same(i.value -> :$p, :$x)
  when json_type(i.value, :$p) in ('integer', 'real')
    then json_type(:$x) in ('integer', 'real') and json_extract(i.value, :$p) = json_extract(:$x, '$$')
  else coalesce(json_type(i.value, :$p) = json_type(:$x)
    and json_extract(i.value, :$p) is json_extract(:$x, '$$'), 0) end)

-- filter_among --
json_among(coalesce(i.value -> :$p, 'null'), :$x)

-- filter_number --
coalesce(json_type(i.value, :$p) in ('integer', 'real')
  and json_extract(i.value, :$p) $operator json_extract(:$x, '$$'), 0)

-- filter_text --
coalesce(json_type(i.value, :$p) = 'text' and json_extract(i.value, :$p) $operator json_extract(:$x, '$$'), 0)

-- filter_exists --
(json_type(i.value, :$p) is not null)

-- filter_element --
json_holds(coalesce(i.value -> :$p, 'null'), :$x)

-- filter_part --
coalesce(json_type(i.value, :$p) = 'text' and instr(json_extract(i.value, :$p), json_extract(:$x, '$$')) > 0, 0)
