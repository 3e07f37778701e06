package serve

import (
	"net/http"
	"path"
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

// ServeHTTP responds with an object or a directory.
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
	key := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	answer := f.file
	if key == "" || strings.HasSuffix(r.URL.Path, "/") {
		answer = f.directory
	}
	if err := answer(w, r, key); err != nil {
		f.options.object.sendFailure(w, r, err)
	}
}

// file serves the object with this key. If there is none but a directory has this name, it
// redirects to the directory.
func (f *fileServer) file(w http.ResponseWriter, r *http.Request, key string) error {
	err := f.options.object.serve(w, r, f.bucket, key)
	if !isMissing(err) {
		return err
	}
	return f.redirectIf(f.isDirectory, w, r, key, escape.Path(path.Base(key))+"/", err)
}

// redirectIf asks a function whether the target of a redirect exists. If the function returns true,
// redirectIf redirects to the given address. If look returns false, redirectIf returns notFound.
func (f *fileServer) redirectIf(
	look func(*http.Request, string) (bool, error), w http.ResponseWriter, r *http.Request, key, target string,
	notFound error,
) error {
	exists, err := look(r, key)
	if err != nil {
		return err
	}
	if !exists {
		return notFound
	}
	redirect(w, r, target)
	return nil
}

// isDirectory reports whether the directory key can be shown, as an index page or as a listing.
func (f *fileServer) isDirectory(r *http.Request, key string) (bool, error) {
	if f.options.listing == nil {
		return f.exists(r, key+"/"+indexPage)
	}
	for _, err := range f.options.listing.List(r.Context(), storage.WithPrefix(key+"/"), storage.WithLimit(1), storage.WithAnyOrder()) {
		return err == nil, err
	}
	return false, nil
}

func (f *fileServer) exists(r *http.Request, key string) (bool, error) {
	opts := f.options.object.downloads
	reader, err := f.bucket.Download(r.Context(), key, append(opts[:len(opts):len(opts)], attributesOnly)...)
	if err != nil {
		if isMissing(err) {
			err = nil
		}
		return false, err
	}
	return true, reader.Close()
}

// directory serves the directory with this key, which has no slash at its end. The key of the root
// is "".
func (f *fileServer) directory(w http.ResponseWriter, r *http.Request, key string) error {
	prefix := key
	if prefix != "" {
		prefix += "/"
	}
	err := f.options.object.serve(w, r, f.bucket, prefix+indexPage)
	if !isMissing(err) {
		return err
	}
	if f.options.listing != nil {
		if ok, failure := f.list(w, r, prefix); ok || failure != nil {
			return failure
		}
	}
	if key == "" {
		return err
	}
	return f.redirectIf(f.exists, w, r, key, "../"+escape.Path(path.Base(key)), err)
}

func isMissing(err error) bool { return storage.CodeOf(err) == storage.ObjectNotFound }

// redirect redirects to an address that is relative to the request, because the file server does
// not know its own path.
func redirect(w http.ResponseWriter, r *http.Request, target string) {
	if query := r.URL.RawQuery; query != "" {
		target += "?" + query
	}
	w.Header().Set("Location", target)
	w.WriteHeader(http.StatusMovedPermanently)
}
