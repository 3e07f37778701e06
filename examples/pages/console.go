package pages

import (
	"net/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/serve/console"
)

// lookInto returns a page for colleagues who have signed in to the application.
func lookInto(bucket storage.Bucket, signedIn func(*http.Request) bool) (http.Handler, error) {
	return console.New(console.One(storage.BucketInfo{Name: "photos"}, bucket), console.Config{
		Title: "Photos of users",
		Hosts: []string{"support.example.com"},
		Authorize: func(w http.ResponseWriter, r *http.Request) bool {
			if signedIn(r) {
				return true
			}
			http.Redirect(w, r, "/login", http.StatusSeeOther)
			return false
		},
	})
}
