package serve

import (
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/escape"
)

const indexPage = "index.html"

// FileServer serves the objects of b as files, like [http.FileServerFS]. The key is
// the cleaned path of the URL. A directory is served by its index.html, and the path
// of index.html redirects to the directory. A missing slash at the end is added, and
// an extra one is removed. Responses and options are those of [Object]. Serving an
// object takes one request to the store.
//
// It differs from http.FileServerFS as follows. Directories are listed only with
// [WithListing]. Methods other than GET and HEAD fail with 405. If an object x and
// objects under x/ both exist, the URL without the slash is the object. No key is
// hidden, not even one that begins with a dot.
//
//	http.Handle("/static/", http.StripPrefix("/static/", serve.FileServer(bucket)))
func FileServer(b storage.Downloader, opts ...Option) http.Handler {
	if b == nil {
		// Each request then fails, instead of a panic.
		b = storage.NewBucket(nil)
	}
	return &fileServer{bucket: b, options: readOptions(opts)}
}

// WithListing makes [FileServer] list directories without an index.html. l is usually the bucket
// itself, or the part of it that clients may see.
func WithListing(l storage.Lister) Option {
	return option(func(o *options) {
		o.listing = l
	})
}

type fileServer struct {
	bucket  storage.Downloader
	options options
}

// ServeHTTP responds with an object or a directory, or redirects to its canonical path.
func (f *fileServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, textOf(http.StatusMethodNotAllowed, nil), http.StatusMethodNotAllowed)
		return
	}
	if strings.HasSuffix(r.URL.Path, "/"+indexPage) {
		redirect(w, r, "./")
		return
	}

	if err := f.servePath(w, r); err != nil {
		f.options.object.sendFailure(w, r, err)
	}
}

// servePath responds with the file or the directory at the path of the request. If it returns an error,
// it has written nothing.
func (f *fileServer) servePath(w http.ResponseWriter, r *http.Request) error {
	key := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	if key == "" || strings.HasSuffix(r.URL.Path, "/") {
		return f.serveDirectory(w, r, key)
	}
	return f.serveFile(w, r, key)
}

// serveFile responds with the object under key, or redirects to the directory of that name.
func (f *fileServer) serveFile(w http.ResponseWriter, r *http.Request, key string) error {
	err := f.options.object.serve(w, r, f.bucket, key)
	if !isMissing(err) {
		return err
	}

	isDirectory, lookupErr := f.isDirectory(r, key)
	if lookupErr != nil {
		return lookupErr
	}
	if !isDirectory {
		return err
	}
	redirect(w, r, escape.Path(path.Base(key))+"/")
	return nil
}

// isDirectory reports whether the server can show a directory with this key, by its index page or as
// a listing.
func (f *fileServer) isDirectory(r *http.Request, key string) (bool, error) {
	if f.options.listing == nil {
		return f.hasObject(r, key+"/"+indexPage)
	}

	// A directory with one entry can be listed.
	opts := []storage.ListOption{storage.WithPrefix(key + "/"), storage.WithLimit(1), storage.WithAnyOrder()}
	for _, err := range f.options.listing.List(r.Context(), opts...) {
		if err != nil {
			return false, err
		}
		return true, nil
	}
	return false, nil
}

// hasObject reports whether there is an object with this key. It uses the download options of the
// server, which may name a version, and reads no content.
func (f *fileServer) hasObject(r *http.Request, key string) (bool, error) {
	opts := slices.Concat(f.options.object.downloads, []storage.DownloadOption{attributesOnly})
	reader, err := f.bucket.Download(r.Context(), key, opts...)
	if isMissing(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, reader.Close()
}

// serveDirectory responds with the index page or the listing of a directory. Its key has no slash at
// the end, and is "" for the root.
func (f *fileServer) serveDirectory(w http.ResponseWriter, r *http.Request, key string) error {
	prefix := key
	if prefix != "" {
		prefix += "/"
	}

	// The index page takes precedence over a listing.
	err := f.options.object.serve(w, r, f.bucket, prefix+indexPage)
	if !isMissing(err) {
		return err
	}

	if f.options.listing != nil {
		isListed, listErr := f.list(w, r, prefix)
		if isListed || listErr != nil {
			return listErr
		}
	}

	// The root always exists, so the error is that of its missing index page.
	isRoot := key == ""
	if isRoot {
		return err
	}

	// There is no such directory. If an object has its name, redirect to the object.
	isObject, lookupErr := f.hasObject(r, key)
	if lookupErr != nil {
		return lookupErr
	}
	if !isObject {
		return err
	}
	redirect(w, r, "../"+escape.Path(path.Base(key)))
	return nil
}

func isMissing(err error) bool { return storage.CodeOf(err) == storage.ObjectNotFound }

// redirect redirects to a target relative to the request, because a file server under StripPrefix
// does not know the path that clients see.
func redirect(w http.ResponseWriter, r *http.Request, target string) {
	if query := r.URL.RawQuery; query != "" {
		target += "?" + query
	}
	w.Header().Set("Location", target)
	w.WriteHeader(http.StatusMovedPermanently)
}
