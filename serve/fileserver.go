package serve

import (
	"net/http"
	"path"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/urlpath"
)

const indexPage = "index.html"

// FileServer serves the objects of b as files, in the manner of
// http.FileServerFS: the path of the address, cleaned, is the key; a directory is
// its index.html, which is itself redirected to the directory; a missing slash
// is added, and one too many taken away. Answers are those of Object, and so are
// options. An object is one request to the store.
//
// It differs from http.FileServerFS in this: directories are listed only
// WithListing; methods other than GET and HEAD are 405; and where there are both
// an object x and objects under x/, the address without the slash is the object.
// No key is hidden: one that begins with a dot is served as any other.
//
//	http.Handle("/static/", http.StripPrefix("/static/", serve.FileServer(bucket)))
func FileServer(b storage.Downloader, opts ...Option) http.Handler {
	return &fileServer{bucket: b, options: readOptions(opts)}
}

// WithListing has FileServer show what a directory without index.html holds: l is
// the bucket itself as a rule, or what may be seen of it.
func WithListing(l storage.Lister) Option {
	return option(func(o *options) { o.listing = l })
}

type fileServer struct {
	bucket  storage.Downloader
	options options
}

// ServeHTTP answers with an object or a directory.
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
	var err error
	if key == "" || strings.HasSuffix(r.URL.Path, "/") {
		err = f.directory(w, r, key)
	} else {
		err = f.file(w, r, key)
	}
	if err != nil {
		f.options.failed(w, r, err)
	}
}

// file serves an object, or leads to the directory of that name.
func (f *fileServer) file(w http.ResponseWriter, r *http.Request, key string) error {
	err := f.options.serve(w, r, f.bucket, key)
	if !missing(err) {
		return err
	}
	there, looked := f.isDirectory(r, key)
	switch {
	case looked != nil:
		return looked
	case !there:
		return err
	}
	redirect(w, r, urlpath.Escape(path.Base(key))+"/")
	return nil
}

// isDirectory reports whether there is anything to show under key.
func (f *fileServer) isDirectory(r *http.Request, key string) (bool, error) {
	if f.options.listing == nil {
		return f.exists(r, key+"/"+indexPage)
	}
	for _, err := range f.options.listing.List(r.Context(), storage.WithPrefix(key+"/"), storage.WithLimit(1)) {
		return err == nil, err
	}
	return false, nil
}

func (f *fileServer) exists(r *http.Request, key string) (bool, error) {
	opts := f.options.downloads
	reader, err := f.bucket.Download(r.Context(), key, append(opts[:len(opts):len(opts)], attributesOnly)...)
	if err != nil {
		if missing(err) {
			err = nil
		}
		return false, err
	}
	return true, reader.Close()
}

// directory serves what stands for the directory key, "" being the root.
func (f *fileServer) directory(w http.ResponseWriter, r *http.Request, key string) error {
	prefix := key
	if prefix != "" {
		prefix += "/"
	}
	err := f.options.serve(w, r, f.bucket, prefix+indexPage)
	if !missing(err) {
		return err
	}
	if f.options.listing != nil {
		if listed, failed := f.list(w, r, prefix); listed || failed != nil {
			return failed
		}
	}
	if key == "" {
		return err
	}
	there, looked := f.exists(r, key)
	switch {
	case looked != nil:
		return looked
	case !there:
		return err
	}
	redirect(w, r, "../"+urlpath.Escape(path.Base(key)))
	return nil
}

func missing(err error) bool { return storage.CodeOf(err) == storage.ObjectNotFound }

// redirect leads to an address relative to that of the request: where the file
// server is mounted it does not know.
func redirect(w http.ResponseWriter, r *http.Request, to string) {
	if query := r.URL.RawQuery; query != "" {
		to += "?" + query
	}
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusMovedPermanently)
}
