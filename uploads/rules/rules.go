// Package rules checks whether the files of users are accepted. A [Judge] decides by the content of
// a file, never by its name or by the type that the sender claims. It reads only the beginning of a
// file, and never changes the file. The package needs neither HTTP nor a store.
//
//	judge, err := rules.New(rules.Images(5 << 20))
//	verdict, err := judge.Inspect(ctx, file, "")
//
// By default a file must be a JPEG, PNG, GIF, WebP or AVIF. Its header must be valid, it must not
// have too many pixels, and its first bytes must contain no markup. SVG can be allowed, too. An SVG
// is refused if it is not valid XML, or if it has a script, an event handler, a link or an external
// reference. Any other type can also be allowed, such as PDF, office documents, audio and video.
// For these, the Judge only detects the type and searches for markup. Types that browsers run as a
// page (HTML, XML, JavaScript) cannot be allowed.
package rules

import (
	"cmp"
	"context"
	"errors"
	"io"
	"math"
	"slices"

	"github.com/gabriel-vasile/mimetype"

	"github.com/omnibucket/storage/internal/words"
)

// The defaults.
const (
	DefaultMaxSize   = 10 << 20   // bytes
	DefaultMaxPixels = 50_000_000 // size of the largest camera pictures; 200 MB of memory when decoded
)

// AnyType in Rules.Types allows files of any content. The content is not checked. All files have
// the media type of unknown bytes, so that browsers save them and do not show them.
const AnyType = "*/*"

// Rules say which files are accepted. The zero value has the defaults, which accept pictures of up
// to DefaultMaxSize.
type Rules struct {
	// Types lists the allowed media types, as detected from the content. If it is nil, the types of
	// [Pictures] are allowed. Any type that github.com/gabriel-vasile/mimetype detects can be
	// allowed, except types that browsers run. [AnyType] cannot be combined with other types.
	Types []string
	// MinSize and MaxSize limit the length of a file, in bytes. If MinSize is 0, the minimum is 1.
	// If MaxSize is 0, the maximum is DefaultMaxSize. With AnyType, the value 0 means no limit.
	MinSize, MaxSize int64
	// MaxPixels limits width × height of a picture, so that decoding it does not exhaust memory.
	// For an animation, it limits one frame. If it is 0, DefaultMaxPixels is used.
	MaxPixels int64
}

// Images returns rules for pictures of at most maxSize bytes.
func Images(maxSize int64) Rules { return Rules{MaxSize: maxSize} }

// Any returns rules for files of any content, of at most maxSize bytes. If maxSize is 0, the size is not limited.
func Any(maxSize int64) Rules { return Rules{Types: []string{AnyType}, MaxSize: maxSize} }

// A Judge checks files against [Rules]. Its methods may be called concurrently.
type Judge struct {
	rules Rules
	types []string // allowed types, by the names that detection uses; nil allows any type
}

// New returns a Judge for the rules. If the rules are invalid, it fails.
func New(r Rules) (*Judge, error) {
	// Set the defaults. With AnyType, only MaxSize has one.
	var allowed []string
	if slices.Equal(r.Types, []string{AnyType}) {
		r.MaxSize = cmp.Or(r.MaxSize, math.MaxInt64)
	} else {
		if r.Types == nil {
			r.Types = Pictures()
		}
		r.MinSize = cmp.Or(r.MinSize, 1)
		r.MaxSize = cmp.Or(r.MaxSize, DefaultMaxSize)
		r.MaxPixels = cmp.Or(r.MaxPixels, DefaultMaxPixels)
		var err error
		allowed, err = allowTypes(r.Types)
		if err != nil {
			return nil, errors.New("Types " + err.Error())
		}
	}

	if r.MinSize < 0 || r.MaxSize < r.MinSize {
		return nil, errors.New("MinSize and MaxSize must satisfy 0 <= MinSize <= MaxSize")
	}
	if r.MaxPixels < 0 {
		return nil, errors.New("MaxPixels must not be negative")
	}
	return &Judge{rules: r, types: allowed}, nil
}

// Rules returns the rules of the Judge. Defaults are filled in.
func (j *Judge) Rules() Rules {
	r := j.rules
	r.Types = slices.Clone(r.Types)
	return r
}

// LooksAtContent reports whether the Judge checks the content of files. With [AnyType], it does
// not.
func (j *Judge) LooksAtContent() bool { return j.types != nil }

// Extensions returns the extensions that a Verdict can have. That is only "" if the rules do not look at the
// content.
func (j *Judge) Extensions() []string {
	if !j.LooksAtContent() {
		return []string{""}
	}
	var extensions []string
	for _, mediaType := range j.types {
		extension := extensionOf(mediaType)
		if !slices.Contains(extensions, extension) {
			extensions = append(extensions, extension)
		}
	}
	return extensions
}

// A Verdict describes a file that a Judge has accepted.
type Verdict struct {
	MediaType     string // without parameters
	ContentType   string // with parameters
	Extension     string // with its dot; "" if the type has none
	Width, Height int    // size of a picture in pixels; 0 if the file is not a picture
	// Inline is true if a browser may show the file. If it is false, the file must be served as a
	// download.
	Inline bool
	// Head is the beginning of the file, as far as the Judge has read it. Whole is true if Head is
	// the whole file.
	Head  []byte
	Whole bool
}

// Inspect checks a file by its content. It reads at most 1 MiB of the content. claimed is the type
// that the sender claims. The claimed type does not change the decision. If the file is refused
// because it does not have the claimed type, the message says so. If the file breaks a rule, the
// error is a [*Refusal]. Any other error is the error of ctx or content.
func (j *Judge) Inspect(ctx context.Context, content io.Reader, claimed string) (*Verdict, error) {
	h := &head{ctx: ctx, src: content}
	verdict, refusal := j.inspect(h, claimed)
	// If the file could not be read, a refusal says nothing about it.
	if err := h.failure(); err != nil {
		return nil, err
	}
	if refusal != nil {
		return nil, refusal
	}
	verdict.Head = h.buf
	verdict.Whole = h.isWhole()
	return verdict, nil
}

// inspect checks a file by its beginning, and returns a verdict or a refusal. Both may be nil if the file
// could not be read.
func (j *Judge) inspect(h *head, claimed string) (*Verdict, *Refusal) {
	h.fill(sniffBytes)
	if h.failure() != nil {
		return nil, nil
	}
	if !j.LooksAtContent() {
		return &Verdict{MediaType: unknownType, ContentType: unknownType}, nil
	}
	if len(h.buf) == 0 {
		return nil, empty
	}

	verdict := detect(h)
	if !slices.Contains(j.types, verdict.MediaType) {
		return nil, j.notAllowed(verdict.MediaType, claimed)
	}
	if refusal := j.inspectAs(h, verdict); refusal != nil {
		return nil, refusal
	}
	return verdict, nil
}

var empty = &Refusal{Empty, "The file is empty."}

// CheckSize checks the length of a file in bytes. If it breaks a rule, the error is a [*Refusal].
func (j *Judge) CheckSize(n int64) error {
	r := j.rules
	if n == 0 && r.MinSize > 0 {
		return empty
	}
	if n > r.MaxSize {
		return &Refusal{TooLarge, "The file is too large: at most " + words.Bytes(r.MaxSize) + " are allowed."}
	}
	if n < r.MinSize {
		return &Refusal{TooSmall, "The file is too small: at least " + words.Bytes(r.MinSize) + " are needed."}
	}
	return nil
}

// CheckClaim refuses a file by the type that the sender claims, if that is a type that browsers
// run. The error is then a [*Refusal]. For any other claimed type, it returns nil, because the
// content decides.
func (j *Judge) CheckClaim(claimed string) error {
	if !j.LooksAtContent() {
		return nil
	}
	mediaType := claimedType(claimed)
	known := mimetype.Lookup(mediaType)
	if known != nil && isActive(known) {
		return j.notAllowed(mediaType, "")
	}
	return nil
}
