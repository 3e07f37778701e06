package files

// Routes are what a store's handler answers to those who may: "GET /files/{id}".
func Routes(s *Store) []string {
	var all []string
	for _, r := range (&handler{store: s}).routes() {
		all = append(all, r.method+" "+r.path)
	}
	return all
}
