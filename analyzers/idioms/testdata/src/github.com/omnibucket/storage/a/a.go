package a

type pair struct{ a, b, c int }

func f() (int, error) { return 0, nil }

func add(a, b int) int { return a + b }

func ifs(x int, err error) int {
	if x = add(x, 1); err != nil { // want "an if that assigns"
		return 0
	}
	if x++; x > 1 { // want "an if with an effect"
		return 1
	}
	if x, err = f(); err != nil {
		return 2
	}
	if y, err := f(); err != nil {
		return y
	}
	return x
}

func switches(x int) int {
	switch y := add(x, 1); { // want "a statement in a switch without a tag"
	case y == 1:
		return 1
	}
	switch {
	case x == 1, x == 2: // want "a list of conditions"
		return 2
	case x == 3 || x == 4:
		return 3
	}
	switch y := add(x, 2); y {
	case 1, 2:
		return 4
	}
	return 0
}

func literals() []pair {
	return []pair{
		{a: 1, b: 2},
		{
			a: 1, b: 2, // want "several fields on one of several lines"
			c: 3,
		},
		{
			a: 1,
			b: 2,
		},
	}
}

func calls() int {
	x := add(
		1, 2,
	) // want "a broken call that fits on one line"
	return x + add(1,
		2)
}
