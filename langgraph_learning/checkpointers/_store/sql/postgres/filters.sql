-- Each is true or false, never null, so that `not` means what it says. $p is the path, $x the operand as JSON, $w the operand
-- inside objects along the path.

-- filter_null --
coalesce(i.value #> %($p)s::text[] = 'null', true)

-- filter_word --
(i.value @> %($w)s::jsonb)

-- filter_amount --
(i.value @> %($w)s::jsonb)

-- filter_equal --
coalesce(i.value #> %($p)s::text[] = %($x)s::jsonb, false)

-- filter_among --
(coalesce(i.value #> %($p)s::text[], 'null') = any(array(select jsonb_array_elements(%($x)s::jsonb))))

-- filter_number --
coalesce(jsonb_typeof(i.value #> %($p)s::text[]) = 'number'
  and i.value #> %($p)s::text[] $operator %($x)s::jsonb, false)

-- filter_text --
coalesce(jsonb_typeof(i.value #> %($p)s::text[]) = 'string'
  and (i.value #>> %($p)s::text[]) collate "C" $operator %($x)s::jsonb #>> array[]::text[], false)

-- filter_exists --
(i.value #> %($p)s::text[] is not null)

-- filter_element --
(case when jsonb_typeof(i.value #> %($p)s::text[]) = 'array'
  then %($x)s::jsonb in (select jsonb_array_elements(i.value #> %($p)s::text[])) else false end)

-- filter_part --
coalesce(jsonb_typeof(i.value #> %($p)s::text[]) = 'string'
  and position(%($x)s::jsonb #>> array[]::text[] in i.value #>> %($p)s::text[]) > 0, false)
