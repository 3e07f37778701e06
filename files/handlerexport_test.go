package files

// Routes returns the operations that require authorization: "GET /files/{id}".
func Routes(s *Store) []string {
	var all []string
	for _, r := range (&handler{store: s}).routes() {
		all = append(all, r.method+" "+r.path)
	}
	return all
}
