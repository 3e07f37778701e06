package tus

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// If the variable serveVariable has the address of a bucket, the test program becomes a server of package uploads over
// this bucket. tusd's end-to-end tests start it in place of tusd.
const serveVariable = "OMNIBUCKET_TUSD_SERVE"

// TestMain serves a bucket in place of tusd if the environment names one, and runs the tests otherwise.
func TestMain(m *testing.M) {
	address := os.Getenv(serveVariable)
	if address == "" {
		os.Exit(m.Run())
	}
	if err := serveResumable(address); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serveResumable serves until the process is interrupted. The flags are tusd's, and are not read.
func serveResumable(address string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	bucket, err := storage.Open(ctx, address)
	if err != nil {
		return err
	}
	handler, err := uploads.New(bucket, resumableConfig(nil))
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}

	server := &http.Server{
		Handler:     asTusd(handler),
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	errc := make(chan error, 1)
	go func() {
		<-ctx.Done()
		errc <- server.Shutdown(context.Background())
	}()

	fmt.Printf("You can now upload files to: http://%s/files/\n", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return errors.Join(<-errc, storage.Close(bucket))
}

// resumableConfig lets everybody upload. completed gets the key of each file.
func resumableConfig(completed func(key string)) uploads.Config {
	return uploads.Config{
		Rules:     rules.Any(0),
		Authorize: func(*http.Request) (uploads.User, error) { return uploads.User{ID: "somebody"}, nil },
		Begin: func(*http.Request, uploads.User, uploads.Request) (*uploads.Target, error) {
			return &uploads.Target{Key: "files/" + rand.Text()}, nil
		},
		Stored: func(_ context.Context, u *uploads.File) error {
			if completed != nil {
				completed(u.Key)
			}
			return nil
		},
	}
}

// asTusd serves handler at the path of tusd's own handler. The tests of tusd need an absolute URL in Location, so asTusd
// adds the request's host.
func asTusd(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner := r.Clone(r.Context())
		inner.URL.Path = strings.Replace(r.URL.Path, "/files/", "/tus/", 1)
		handler.ServeHTTP(&absoluteLocation{ResponseWriter: w, base: "http://" + r.Host}, inner)
	})
}

// An absoluteLocation puts base before the path in the header Location of a response.
type absoluteLocation struct {
	http.ResponseWriter
	base string
}

// WriteHeader sends the header with an absolute Location.
func (w *absoluteLocation) WriteHeader(status int) {
	if path := w.Header().Get("Location"); strings.HasPrefix(path, "/") {
		w.Header().Set("Location", w.base+path)
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets [http.ResponseController] reach the connection.
func (w *absoluteLocation) Unwrap() http.ResponseWriter { return w.ResponseWriter }
