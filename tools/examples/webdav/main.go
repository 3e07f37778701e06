// Webdav serves a bucket over WebDAV, which file managers and office programs open as a folder:
//
//	go run -C tools/examples/webdav . -bucket file:///var/data/files?create=true
//
// It does not ask for a password. Put it behind a proxy that does.
package main

import (
	"context"
	"flag"
	"log"
	"net/http"
	"os"

	"golang.org/x/net/webdav"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/adapters/afero"
	_ "github.com/omnibucket/storage/memstore"        // mem://
	_ "github.com/omnibucket/storage/providers/local" // file:///
	_ "github.com/omnibucket/storage/providers/s3"    // s3://
)

func main() {
	address := flag.String("bucket", "mem://files", "address of the bucket")
	listen := flag.String("listen", "localhost:8080", "address to listen on")
	flag.Parse()
	bucket, err := storage.Open(context.Background(), *address)
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("serving %s at http://%s/", *address, *listen)
	log.Fatal(http.ListenAndServe(*listen, newHandler(bucket)))
}

func newHandler(b storage.Bucket) http.Handler {
	return &webdav.Handler{FileSystem: fileSystem{b}, LockSystem: webdav.NewMemLS()}
}

// A fileSystem implements the file system of package webdav with a bucket. Its calls use the
// context of the WebDAV request.
type fileSystem struct{ bucket storage.Bucket }

func (f fileSystem) Mkdir(ctx context.Context, name string, mode os.FileMode) error {
	return afero.New(ctx, f.bucket).Mkdir(name, mode)
}

func (f fileSystem) OpenFile(ctx context.Context, name string, flag int, mode os.FileMode) (webdav.File, error) {
	return afero.New(ctx, f.bucket).OpenFile(name, flag, mode)
}

func (f fileSystem) RemoveAll(ctx context.Context, name string) error {
	return afero.New(ctx, f.bucket).RemoveAll(name)
}

func (f fileSystem) Rename(ctx context.Context, src, dst string) error {
	return afero.New(ctx, f.bucket).Rename(src, dst)
}

func (f fileSystem) Stat(ctx context.Context, name string) (os.FileInfo, error) {
	return afero.New(ctx, f.bucket).Stat(name)
}
