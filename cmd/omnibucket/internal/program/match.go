package program

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
)

// EachMatch calls do for the object that text names or, if text has wildcards, for each object that
// matches. After a failure with wildcards it prints the error and continues.
func (p *Program) EachMatch(
	ctx context.Context, text string, literal bool, do func(b storage.Bucket, l location.Location) error,
) error {
	bucket, l, err := p.Stores.openObject(ctx, text)
	if err != nil {
		return err
	}

	if !l.HasWildcard || literal {
		return do(bucket, l)
	}

	hasMatch := false
	f := failures{program: p}
	for entry, err := range location.Expand(ctx, bucket, l) {
		if err != nil {
			return errors.Join(f.first, err)
		}
		if entry.IsPrefix {
			continue
		}
		hasMatch = true

		// The key of a match is literal.
		match := l
		match.Key = entry.Key
		match.HasWildcard = false
		match.Pattern = ""
		if err := f.add(ctx, do(bucket, match)); err != nil {
			return err
		}
	}

	if !hasMatch {
		return location.NoMatch(l, "object")
	}
	return f.first
}

// WildcardHelp is the paragraph about wildcards in the help of several commands.
const WildcardHelp = `
Wildcards in a key are expanded: * and ? match in one folder, [a-z] matches one of several
characters, and ** matches any number of folders. If nothing matches, the exit code is 3.
Quote wildcards, because a shell expands them, too. To use a key with such characters, set
--literal, or write %2A, %3F and %5B in an address.`

// LiteralFlag registers --literal, which turns wildcards off.
func LiteralFlag(c *cobra.Command, literal *bool) {
	c.Flags().BoolVar(literal, "literal", false, `take "*", "?" and "[" in keys literally`)
}
