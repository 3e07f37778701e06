package elsewhere

type store struct{ path string }

func (*store) open() {}

type user struct{ *store }
