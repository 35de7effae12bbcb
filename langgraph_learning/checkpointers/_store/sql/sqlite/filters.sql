-- Conditions of a filter. Each is true or false and never null, so that `not` inverts it. $p is the path, $x the operand
-- as JSON, and $w the operand inside objects along the path.

-- filter_null --
-- True if the value at a path is null or missing.
(coalesce(json_type(i.value, :$p), 'null') = 'null')

-- filter_word --
-- True if the value at a path is this text or this boolean.
(i.value -> :$p is :$x)

-- filter_amount --
-- True if the value at a path is this number.
coalesce(json_extract(i.value, :$p) = json_extract(:$x, '$$') and json_type(i.value, :$p) in ('integer', 'real'), 0)

-- filter_equal --
-- True if the value at a path is this list or this object.
coalesce(json_same(i.value -> :$p, :$x), 0)

-- filter_among --
-- True if the value at a path is in a list; a missing value counts as null.
json_among(coalesce(i.value -> :$p, 'null'), :$x)

-- filter_number --
-- True if the value at a path is a number and $operator holds between it and the operand.
coalesce(json_type(i.value, :$p) in ('integer', 'real')
  and json_extract(i.value, :$p) $operator json_extract(:$x, '$$'), 0)

-- filter_text --
-- True if the value at a path is a text and $operator holds between it and the operand, by code points.
coalesce(json_type(i.value, :$p) = 'text' and json_extract(i.value, :$p) $operator json_extract(:$x, '$$'), 0)

-- filter_exists --
-- True if there is a value at a path, null included.
(json_type(i.value, :$p) is not null)

-- filter_element --
-- True if the value at a path is a list that contains this element. A text is first sought in the whole value, which is
-- quick: nearly all values hold it nowhere.
((json_type(:$x) <> 'text' or instr(i.value, :$x) > 0) and json_holds(coalesce(i.value -> :$p, 'null'), :$x))

-- filter_part --
-- True if the value at a path is a text that contains this one.
coalesce(json_type(i.value, :$p) = 'text' and instr(json_extract(i.value, :$p), json_extract(:$x, '$$')) > 0, 0)
