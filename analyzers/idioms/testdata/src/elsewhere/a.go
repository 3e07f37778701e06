package elsewhere

func f() int { return 0 }

func g(x, y int) int {
	if x = f(); y == 0 {
		return 1
	}
	return x
}
