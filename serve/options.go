package serve

import (
	"errors"
	"net/http"

	"github.com/omnibucket/storage"
)

// An Option changes how objects are served. One that does not concern a function
// is ignored by it.
type Option interface{ apply(*options) }

type option func(*options)

func (o option) apply(to *options) { o(to) }

// options are what all functions of this package are told.
type options struct {
	objectOptions
	listing storage.Lister // of FileServer's directories; nil: none are listed

	activeContent bool // NewHandler serves HTML and the like as it is
	withoutPrefix bool // NewHandler's requests have lost the path of the base address
}

// objectOptions are of one answer with an object.
type objectOptions struct {
	downloads []storage.DownloadOption
	// headers have the last word on the header of an answer, in turn, when the
	// object's own are set and before conditions are judged.
	headers []func(h http.Header, a *storage.Attrs)
	fail    func(w http.ResponseWriter, r *http.Request, status int, err error) // WithErrorHandler's
	// refuse answers where fail does not; nil: with a line of text, and with no
	// body where a condition of the request fails.
	refuse func(w http.ResponseWriter, r *http.Request, err error)
	bad    error // what is wrong with the options
}

func readOptions(opts []Option) options {
	var o options
	for _, opt := range opts {
		if opt != nil {
			opt.apply(&o)
		}
	}
	o.bad = flawOf(o.downloads)
	return o
}

// flawOf is the error of a condition among the options of a download. It would
// hold for the first of several requests to the store and mean something else to
// the next.
func flawOf(opts []storage.DownloadOption) error {
	if len(opts) == 0 {
		return nil
	}
	var r storage.GetRequest
	if err := r.Apply(opts...); err != nil {
		return err
	}
	if r.Condition == (storage.Condition{}) {
		return nil
	}
	return &storage.Error{
		Code: storage.InvalidArgument, Op: "WithDownloadOptions",
		Err:  errors.New("conditions are the request's: IfRevision and IfRevisionNot do not fit"),
		Hint: "WithVersion serves one version",
	}
}

// WithDownloadOptions reads the object with these options too: WithVersion,
// WithConcurrency, a provider's own. Ranges and conditions are the request's: an
// IfRevision or IfRevisionNot among them is an InvalidArgument before anything is
// asked of the store, a WithRange has no effect.
func WithDownloadOptions(opts ...storage.DownloadOption) Option {
	return option(func(o *options) { o.downloads = append(o.downloads, opts...) })
}

// WithErrorHandler has h answer where an object cannot be served: to log why, or
// to show a page of yours. Nothing has been written yet; status is what would be
// sent, and err, a *storage.Error as a rule, must not be shown to clients whole.
// It is not called where the request was canceled, as a rule by a client that has
// gone (that is a bare 503), nor for the answers to conditions (304, 412). What
// fails when the bytes are on their way can only be cut off: storage.WithHook sees
// it.
func WithErrorHandler(h func(w http.ResponseWriter, r *http.Request, status int, err error)) Option {
	return option(func(o *options) { o.fail = h })
}
