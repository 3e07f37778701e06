package uploads_test

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// A site takes videos of up to 10 GiB from people who are signed in. Uppy's option endpoint
// is /uploads, and that of tus clients /uploads/tus/.
func Example() {
	service, err := uploads.New(memstore.New(), uploads.Config{
		Rules: rules.Rules{Types: []string{"video/mp4"}, MaxSize: 10 << 30},
		Key:   "videos/{user}/{random}{ext}",
		Authorize: func(r *http.Request) (uploads.User, error) {
			session, err := r.Cookie("session")
			if err != nil {
				return uploads.User{}, storage.Unauthenticated
			}
			return uploads.User{ID: session.Value}, nil // look it up
		},
		Stored: func(_ context.Context, f *uploads.File) error {
			fmt.Println(f.User.ID, "has uploaded", f.Key)
			return nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/uploads/", http.StripPrefix("/uploads", service))

	report, err := service.Sweep(context.Background()) // every hour: what nobody completed
	fmt.Println(report.Uploads, err)
	// Output: 0 <nil>
}
