package resumable_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"net/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/resumable"
)

// A site takes videos of up to 10 GiB from people who are signed in. Uppy's option endpoint
// is /uploads, and that of tus clients /uploads/tus/.
func Example() {
	bucket := memstore.New()
	handler, err := resumable.NewHandler(bucket, resumable.Config{
		Authorize: func(r *http.Request) (user string, err error) {
			session, err := r.Cookie("session")
			if err != nil {
				return "", storage.Unauthenticated
			}
			return session.Value, nil // look it up
		},
		Begin: func(_ *http.Request, user string, n resumable.UploadRequest) (*resumable.Target, error) {
			if n.Type != "video/mp4" {
				return nil, &resumable.Error{Code: resumable.UnsupportedType, Field: "type", Message: "Only MP4 videos."}
			}
			return &resumable.Target{Key: "videos/" + user + "/" + rand.Text() + ".mp4", ContentType: "video/mp4"}, nil
		},
		OnComplete: func(_ context.Context, u *resumable.Upload) error {
			fmt.Println(u.User, "has uploaded", u.Key)
			return nil
		},
		MaxSize: 10 << 30,
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/uploads/", http.StripPrefix("/uploads", handler))

	removed, err := handler.Sweep(context.Background()) // every hour: what nobody completed
	fmt.Println(removed, err)
	// Output: 0 <nil>
}
