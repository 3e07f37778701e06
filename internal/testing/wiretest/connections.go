package wiretest

import "net/http"

// OneRequestAConnection returns a handler that closes a connection after each response, so that a
// test that counts goroutines sees no idle one.
func OneRequestAConnection(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		h.ServeHTTP(w, r)
	})
}
