package wiretest

import "net/http"

// OneRequestAConnection returns a handler that closes the connection after each response, for tests
// that count goroutines, which an idle connection would keep running.
func OneRequestAConnection(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		h.ServeHTTP(w, r)
	})
}
