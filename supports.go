package storage

import (
	"fmt"
	"slices"
	"strings"

	"github.com/omnibucket/storage/internal/core/buffer"
	"github.com/omnibucket/storage/internal/core/scope"
	"github.com/omnibucket/storage/internal/running"
)

// ordinary has the features that nearly every store has. [Supports] assumes that a type of the
// user's own has these features.
const ordinary = Metadata | ContentProperties | KeysBesideFolders | LongSegments | OrderedListing

// Supports is like [Require], but returns false in place of an error. If b is of a type of your own
// and not from this library, it counts as having Metadata, ContentProperties, KeysBesideFolders,
// LongSegments and OrderedListing.
func Supports(b any, features Features) bool {
	if f, ok := b.(*front); ok {
		return f.core != nil && f.core.Supports(features)
	}
	return b != nil && ordinary&features == features
}

// Require returns nil if b has all of the given features. b is a [Bucket], or one of
// its permissions such as a [Downloader]. Require makes no request. If a program calls it after
// Open, the program fails at its start, and not at the first call that needs a feature.
//
// If b lacks features, the error is Unsupported and names all of them. If every call on b fails,
// such as on a bucket from [Prefixed] with an invalid prefix, Require fails with the same Code.
func Require(b any, features Features) error {
	if f, isOurs := b.(*front); isOurs {
		const noPermission = 0 // a bucket that only lacks permissions is not refused
		if err := f.checkAllowed(noPermission, nil); err != nil {
			return locateError(f, "Require", "", err)
		}
	}

	// A nil b is refused even if no feature is required.
	missing := missingFeatures(b, features)
	if b == nil || missing != 0 {
		return locateError(b, "Require", "", missingFeaturesError(b, missing))
	}
	return nil
}

// missingFeatures returns the features in the given set that b lacks.
func missingFeatures(b any, features Features) Features {
	var missing Features
	for feature := range features.each {
		if !Supports(b, feature) {
			missing |= feature
		}
	}
	return missing
}

// missingFeaturesError returns an error that names the missing features and hints at how to get
// them.
func missingFeaturesError(b any, missing Features) *Error {
	f, isOurs := b.(*front)
	if !isOurs {
		text := fmt.Sprintf("%T does not support %s: it is not a bucket of this library", b, missing)
		return unsupported(text, scope.ForeignHint)
	}

	provider, _ := f.core.Name()
	err := unsupported(provider+" does not support "+missing.String()+" here", "")
	if engine := engineOf(f); engine != nil {
		err.Hint = hints(engine, missing)
	}
	return err
}

// hints returns the engine's hints on how to get each of the features, without repetitions.
func hints(engine engineCore, features Features) string {
	var texts []string
	for feature := range features.each {
		err := engine.Need(feature, "")
		if err != nil && err.Hint != "" && !slices.Contains(texts, err.Hint) {
			texts = append(texts, err.Hint)
		}
	}
	return strings.Join(texts, "; ")
}

// An engineCore has the methods of the engine that this package calls.
type engineCore interface {
	Hooks() []Hook
	BufferLimit() *buffer.Limit
	RetryPolicy() *running.Policy
	Need(f Features, what string) *Error
}

// engineOf returns the engine of a bucket, or nil if the bucket has none.
func engineOf(b any) engineCore {
	f, ok := b.(*front)
	if !ok {
		return nil
	}
	c, _ := f.engine().(engineCore)
	return c
}
