package serve

import (
	"errors"
	"net/http"

	"github.com/omnibucket/storage"
)

// An Option changes how objects are served. A function ignores options that are not about that
// function.
type Option interface{ apply(*options) }

type option func(*options)

func (o option) apply(opts *options) { o(opts) }

// options holds the options of all functions of this package.
type options struct {
	object  objectOptions
	listing storage.Lister // lists directories for FileServer; nil means that they are not listed

	activeContent bool // true if NewHandler serves HTML and the like unchanged
	removesPrefix bool // true if a proxy removes the path of the base URL
}

// objectOptions holds the options for responses with an object.
type objectOptions struct {
	downloads []storage.DownloadOption
	// headers change the response header. They are called in order, after the object's own headers
	// were set and before conditions are evaluated.
	headers []func(h http.Header, a *storage.Attrs)
	// errorHandler is the function of WithErrorHandler, or nil.
	errorHandler func(w http.ResponseWriter, r *http.Request, status int, err error)
	// sendError sends the error responses of NewHandler, and is nil for other handlers. They call
	// errorHandler, or else send a line of text. If a condition fails, they send no body.
	sendError func(w http.ResponseWriter, r *http.Request, err error)
	invalid   error // error of invalid options, or nil
}

// readOptions returns the options that opts set. An error of invalid download options is kept in
// object.invalid until a request comes.
func readOptions(opts []Option) options {
	var o options
	for _, opt := range opts {
		if opt != nil {
			opt.apply(&o)
		}
	}
	o.object.invalid = checkDownloads(o.object.downloads)
	return o
}

// checkDownloads fails with InvalidArgument if download options contain a condition, which would
// apply to each of the requests that one response may need.
func checkDownloads(opts []storage.DownloadOption) error {
	if len(opts) == 0 {
		return nil
	}
	var o storage.DownloadOptions
	if err := o.Apply(opts...); err != nil {
		return err
	}
	if o.Condition == (storage.Condition{}) {
		return nil
	}
	return &storage.Error{
		Code: storage.InvalidArgument,
		Op:   "WithDownloadOptions",
		Err:  errors.New("options must not have IfRevision or IfRevisionNot: conditions come from the request"),
		Hint: "use WithVersion to serve one version",
	}
}

// WithDownloadOptions passes opts to every download. Use it for [storage.WithVersion],
// [storage.WithConcurrency] or a provider's own options. Ranges and conditions come from the HTTP
// request. If opts contain [storage.IfRevision] or [storage.IfRevisionNot], the request fails with
// InvalidArgument before any request to the store. A [storage.WithRange] has no effect.
func WithDownloadOptions(opts ...storage.DownloadOption) Option {
	return option(func(o *options) {
		o.object.downloads = append(o.object.downloads, opts...)
	})
}

// WithErrorHandler makes h send the response if an object cannot be served. For example, h can log
// err or show a page.
//
// When h is called, nothing has been written yet. status is the status that would be sent. err is
// usually a *storage.Error, and must not be shown to clients. h is not called for a canceled
// request (503), whose client has usually disconnected, or for a condition (304, 412). After the
// first bytes, an error only cuts off the response, and [storage.WithHook] sees it.
func WithErrorHandler(h func(w http.ResponseWriter, r *http.Request, status int, err error)) Option {
	return option(func(o *options) {
		o.object.errorHandler = h
	})
}
