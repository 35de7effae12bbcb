-- Each is true or false, never null, so that `not` means what it says. $p is the path, $x the operand as JSON, $w the operand
-- inside objects along the path.

-- filter_null --
(coalesce(json_type(i.value, :$p), 'null') = 'null')

-- filter_word --
(i.value -> :$p is :$x)

-- filter_amount --
coalesce(json_extract(i.value, :$p) = json_extract(:$x, '$$') and json_type(i.value, :$p) in ('integer', 'real'), 0)

-- filter_equal --
coalesce(json_same(i.value -> :$p, :$x), 0)

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
