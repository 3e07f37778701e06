package clamd_test

import (
	"context"
	"log"
	"net/http"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/clamd"
	"github.com/omnibucket/storage/uploads/rules"
)

// While clamd is down, this service refuses files with status 503, and clients try again.
func Example() {
	scanner, err := clamd.New(clamd.Config{
		Address: "unix:///run/clamav/clamd.ctl",
		IfDown:  clamd.Refuse,
		OnFound: func(_ context.Context, f *uploads.File, signature string) {
			log.Printf("refused a file of user %q: %s", f.User.ID, signature)
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	service, err := uploads.New(memstore.New(), uploads.Config{
		Rules:     rules.Any(clamd.DefaultMaxSize),
		Inspect:   scanner.Inspect,
		Authorize: func(*http.Request) (uploads.User, error) { return uploads.User{}, storage.Unauthenticated },
	})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/uploads/", http.StripPrefix("/uploads", service))
	http.HandleFunc("/ready", func(w http.ResponseWriter, r *http.Request) {
		if err := scanner.Ping(r.Context()); err != nil {
			http.Error(w, "clamd is down", http.StatusServiceUnavailable)
		}
	})
}

// While clamd is down, this service accepts files, and notes the files that it must scan later.
func ExamplePolicy() {
	scanner, err := clamd.New(clamd.Config{
		Address: "tcp://127.0.0.1:3310",
		IfDown:  clamd.Accept,
		OnAccept: func(_ context.Context, f *uploads.File, err error) {
			log.Printf("scan %q later: %v", f.Key, err)
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	service, err := uploads.New(memstore.New(), uploads.Config{Rules: rules.Any(1 << 20), Inspect: scanner.Inspect})
	if err != nil {
		log.Fatal(err)
	}
	_, err = service.Store(context.Background(), uploads.Upload{Body: strings.NewReader("content"), Name: "a.txt"})
	if err != nil {
		log.Fatal(err)
	}
}
