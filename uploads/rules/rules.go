// Package rules says which files of users are accepted. A [Judge] decides by the content
// of a file, never by its name or what the sender claims. It reads only the beginning of
// a file and changes nothing in it. The package knows neither HTTP nor a store.
//
//	judge, err := rules.New(rules.Images(5 << 20))
//	verdict, err := judge.Inspect(ctx, file, "")
//
// By default a file must be a JPEG, PNG, GIF, WebP or AVIF. Its header must be sound,
// its pixels within bounds, and its first bytes without markup. SVG can be allowed:
// one with a script, an event handler, a link or an external reference is refused, as
// is one that is not valid XML. For any other type that is allowed (PDF, office
// documents, audio, video), only detection and the search for markup decide. The types
// that browsers run as a page (HTML, XML, JavaScript) cannot be allowed.
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
	DefaultMaxPixels = 50_000_000 // the largest picture of a camera; 200 MB when decoded
)

// AnyType in Rules.Types stands for files of any content. Their content is not looked at, and
// they get the type of unknown bytes, so that browsers save them.
const AnyType = "*/*"

// Rules say which files are accepted. The zero value has the defaults.
type Rules struct {
	// Types are the media types that are allowed, by content; nil means those of [Pictures].
	// Any type that github.com/gabriel-vasile/mimetype detects can be allowed, unless
	// browsers run it. [AnyType] must be the only one.
	Types []string
	// MinSize and MaxSize limit the length of a file, in bytes; 0 means 1 and DefaultMaxSize.
	// With AnyType, 0 sets no limit.
	MinSize, MaxSize int64
	// MaxPixels limits width × height of pictures, so that decoding one does not exhaust
	// memory; 0 means DefaultMaxPixels. For an animation, it limits one frame.
	MaxPixels int64
}

// Images returns rules for pictures of at most maxSize bytes.
func Images(maxSize int64) Rules { return Rules{MaxSize: maxSize} }

// Any returns rules for files of any content, of at most maxSize bytes; 0 means no limit.
func Any(maxSize int64) Rules { return Rules{Types: []string{AnyType}, MaxSize: maxSize} }

// A Judge decides by rules. Its methods are safe for concurrent use.
type Judge struct {
	rules Rules
	types []string // the names that detection uses; nil means any type
}

// New checks the rules.
func New(r Rules) (*Judge, error) {
	j := &Judge{rules: r}
	if len(r.Types) == 1 && r.Types[0] == AnyType {
		j.rules.MaxSize = cmp.Or(r.MaxSize, math.MaxInt64)
	} else {
		if r.Types == nil {
			j.rules.Types = Pictures()
		}
		j.rules.MinSize, j.rules.MaxSize = cmp.Or(r.MinSize, 1), cmp.Or(r.MaxSize, DefaultMaxSize)
		j.rules.MaxPixels = cmp.Or(r.MaxPixels, DefaultMaxPixels)
		var flaw string
		if j.types, flaw = allowTypes(j.rules.Types); flaw != "" {
			return nil, errors.New("Types " + flaw)
		}
	}
	switch {
	case j.rules.MinSize < 0 || j.rules.MaxSize < j.rules.MinSize:
		return nil, errors.New("MinSize and MaxSize must satisfy 0 <= MinSize <= MaxSize")
	case j.rules.MaxPixels < 0:
		return nil, errors.New("MaxPixels must not be negative")
	}
	return j, nil
}

// Rules returns the rules, with the defaults.
func (j *Judge) Rules() Rules {
	r := j.rules
	r.Types = slices.Clone(r.Types)
	return r
}

// LooksAtContent reports whether the content decides. It does not for [AnyType].
func (j *Judge) LooksAtContent() bool { return j.types != nil }

// Extensions returns the extensions that a Verdict can have.
func (j *Judge) Extensions() []string {
	if !j.LooksAtContent() {
		return []string{""}
	}
	var all []string
	for _, t := range j.types {
		if e := extensionOf(t); !slices.Contains(all, e) {
			all = append(all, e)
		}
	}
	return all
}

// A Verdict describes a file that a Judge accepts.
type Verdict struct {
	MediaType     string // without parameters
	ContentType   string // with parameters
	Extension     string // with its dot; "" if the type has none
	Width, Height int    // size of a picture in pixels; 0 if the type has none
	// Inline is set if a browser may show the file. It must save any other.
	Inline bool
	// Head is the beginning of the file, as far as the Judge has read it. Whole is set if that
	// is all of it.
	Head  []byte
	Whole bool
}

// Inspect judges a file that has this content, of which it reads at most 1 MiB. claimed is the
// type that the sender claims. It decides nothing, but makes the message clearer if it is
// wrong. The error is a [*Refusal] if the file breaks a rule, and otherwise that of ctx or of
// content.
func (j *Judge) Inspect(ctx context.Context, content io.Reader, claimed string) (*Verdict, error) {
	h, v := &head{ctx: ctx, src: content}, &Verdict{}
	refused := j.look(h, claimed, v)
	switch {
	case h.failure() != nil: // bytes that were not read break no rule
		return nil, h.failure()
	case refused != nil:
		return nil, refused
	}
	v.Head, v.Whole = h.buf, h.whole()
	return v, nil
}

func (j *Judge) look(h *head, claimed string, v *Verdict) *Refusal {
	h.fill(sniffBytes)
	switch {
	case h.failure() != nil:
		return nil
	case !j.LooksAtContent():
		v.MediaType, v.ContentType = unknownType, unknownType
		return nil
	case len(h.buf) == 0:
		return empty
	}
	detect(h, v)
	if !slices.Contains(j.types, v.MediaType) {
		return j.notAllowed(v.MediaType, claimed)
	}
	return j.inspectAs(h, v)
}

var empty = &Refusal{Empty, "The file is empty."}

// CheckSize judges the length of a file. The error is a [*Refusal].
func (j *Judge) CheckSize(n int64) error {
	switch r := j.rules; {
	case n == 0 && r.MinSize > 0:
		return empty
	case n > r.MaxSize:
		return &Refusal{TooLarge, "The file is too large: at most " + words.Bytes(r.MaxSize) + " are allowed."}
	case n < r.MinSize:
		return &Refusal{TooSmall, "The file is too small: at least " + words.Bytes(r.MinSize) + " are needed."}
	}
	return nil
}

// CheckClaim refuses a claimed type that browsers run. For any other type, the content
// decides. The error is a [*Refusal].
func (j *Judge) CheckClaim(claimed string) error {
	claimed = claimedType(claimed)
	if known := mimetype.Lookup(claimed); j.LooksAtContent() && known != nil && isActive(known) {
		return j.notAllowed(claimed, "")
	}
	return nil
}
