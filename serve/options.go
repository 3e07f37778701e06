package serve

import (
	"errors"
	"net/http"

	"github.com/omnibucket/storage"
)

// An Option changes how objects are served. A function ignores options that do not
// concern it.
type Option interface{ apply(*options) }

type option func(*options)

func (o option) apply(to *options) { o(to) }

// options has the options of all functions of this package.
type options struct {
	object  objectOptions
	listing storage.Lister // lists the directories of FileServer; nil means that directories are not listed

	activeContent bool // NewHandler serves HTML and the like unchanged
	withoutPrefix bool // a proxy removes the path of the base address
}

// objectOptions has the options for responses with an object.
type objectOptions struct {
	downloads []storage.DownloadOption
	// headers change the response header in turn, after the object's own headers are
	// set and before conditions are evaluated.
	headers []func(h http.Header, a *storage.Attrs)
	fail    func(w http.ResponseWriter, r *http.Request, status int, err error) // the function of WithErrorHandler
	// refuse responds if fail does not. nil sends a line of text, or no body if a
	// condition of the request fails.
	refuse func(w http.ResponseWriter, r *http.Request, err error)
	bad    error // the error of the options
}

func readOptions(opts []Option) options {
	var o options
	for _, opt := range opts {
		if opt != nil {
			opt.apply(&o)
		}
	}
	o.object.bad = flawOf(o.object.downloads)
	return o
}

// flawOf returns the error of a condition among the options of a download. Such a
// condition would hold for the first of several requests to the store and mean
// something else to the next.
func flawOf(opts []storage.DownloadOption) error {
	if len(opts) == 0 {
		return nil
	}
	var r storage.DownloadOptions
	if err := r.Apply(opts...); err != nil {
		return err
	}
	if r.Condition == (storage.Condition{}) {
		return nil
	}
	return &storage.Error{
		Code: storage.InvalidArgument, Op: "WithDownloadOptions",
		Err:  errors.New("options must not have IfRevision or IfRevisionNot: conditions come from the request"),
		Hint: "use WithVersion to serve one version",
	}
}

// WithDownloadOptions passes opts to every download: [storage.WithVersion],
// [storage.WithConcurrency] or a provider's own. Ranges and conditions come from the
// request. An [storage.IfRevision] or [storage.IfRevisionNot] among opts fails with
// InvalidArgument before a request to the store; a [storage.WithRange] has no effect.
func WithDownloadOptions(opts ...storage.DownloadOption) Option {
	return option(func(o *options) { o.object.downloads = append(o.object.downloads, opts...) })
}

// WithErrorHandler makes h respond if an object cannot be served, for example to log
// err or to show a page. Nothing has been written yet. status is the status that
// would be sent. err, usually a *storage.Error, must not be shown to clients. h is
// not called for a canceled request, whose client has usually gone (503), or for a
// condition (304, 412). An error after the first bytes can only cut the response off;
// [storage.WithHook] sees it.
func WithErrorHandler(h func(w http.ResponseWriter, r *http.Request, status int, err error)) Option {
	return option(func(o *options) { o.object.fail = h })
}
