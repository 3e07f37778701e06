package main

import (
	"context"
	"errors"
	"iter"
	"strconv"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
)

const wildcardHelp = `
Wildcards in a key are expanded: * and ? match in one folder, [a-z] matches one of several
characters, and ** matches any number of folders. If nothing matches, the exit code is 3.
Quote wildcards, because a shell expands them, too. To use a key with such characters, set
--literal, or write %2A, %3F and %5B in an address.`

func literalFlag(c *cobra.Command, literal *bool) {
	c.Flags().BoolVar(literal, "literal", false, `take "*", "?" and "[" in keys literally`)
}

// patternOf returns the pattern of a key with wildcards. In an escaped key, a character that
// is written as %2A is literal.
func patternOf(key string, escaped bool) string {
	var b strings.Builder
	for i := 0; i < len(key); i++ {
		c := key[i]
		if escaped && c == '%' && i+2 < len(key) {
			if n, err := strconv.ParseUint(key[i+1:i+3], 16, 8); err == nil {
				if c = byte(n); strings.IndexByte(`*?[]{}\!^-`, c) >= 0 {
					b.WriteByte('\\')
				}
				b.WriteByte(c)
				i += 2
				continue
			}
		}
		if strings.IndexByte(`{}\`, c) >= 0 { // no wildcards here
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
}

// glob returns the pattern of the key, if it has wildcards.
func (l location) glob() string {
	if l.pattern != "" {
		return l.pattern
	}
	return patternOf(l.key, false)
}

// isPattern reports whether a segment of a pattern has a wildcard.
func isPattern(segment string) bool {
	_, whole := literalStart(segment)
	return !whole
}

// literalStart returns the literal text before the first wildcard of a pattern, and whether
// that is the whole pattern.
func literalStart(pattern string) (text string, whole bool) {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '*', '?', '[':
			return b.String(), false
		case '\\':
			if i++; i < len(pattern) {
				b.WriteByte(pattern[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), true
}

// splitPattern returns the folder in which a pattern begins to have wildcards, and the rest
// of the pattern.
func splitPattern(pattern string) (folder, rest string) {
	segments := strings.Split(pattern, "/")
	for len(segments) > 1 && !isPattern(segments[0]) {
		text, _ := literalStart(segments[0])
		folder += text + "/"
		segments = segments[1:]
	}
	return folder, strings.Join(segments, "/")
}

// matcher returns a function that matches keys with a pattern, with recursive also keys in the
// folders that match.
func matcher(pattern string, recursive bool) (func(key string) bool, error) {
	if !doublestar.ValidatePattern(pattern) {
		return nil, invalid("key must not have malformed wildcards", "use --literal to take them literally")
	}
	below := strings.TrimSuffix(pattern, "/") + "/**/*"
	return func(key string) bool {
		return doublestar.MatchUnvalidated(pattern, key) || recursive && doublestar.MatchUnvalidated(below, key)
	}, nil
}

// parentOf splits a key after its last slash.
func parentOf(key string) (folder, name string) {
	at := strings.LastIndexByte(key, '/') + 1
	return key[:at], key[at:]
}

// hasFolder reports whether a key lies in a folder of this name.
func hasFolder(key, name string) bool { return strings.HasPrefix(key, name+"/") }

// matchesAll reports whether a pattern matches everything at the top.
func matchesAll(pattern string) bool { return strings.Trim(pattern, "*/") == "" }

// expand yields the objects and folders that match the wildcards of a location. It lists
// only folders that can have matches. A pattern that ends in a slash matches folders only, and
// ** matches no folders.
func expand(ctx context.Context, b storage.Lister, l location) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		pattern := l.glob()
		if !doublestar.ValidatePattern(pattern) {
			yield(storage.ListEntry{}, invalid("key must not have malformed wildcards", "use --literal to take them literally"))
			return
		}
		e := expansion{ctx: ctx, bucket: b, yield: yield}
		e.walk("", strings.Split(pattern, "/"))
	}
}

type expansion struct {
	ctx    context.Context
	bucket storage.Lister
	yield  func(storage.ListEntry, error) bool
}

// walk matches segments of a pattern with the names in a folder. It returns false to end.
func (e *expansion) walk(folder string, segments []string) bool {
	for len(segments) > 1 && !isPattern(segments[0]) {
		text, _ := literalStart(segments[0])
		folder += text + "/"
		segments = segments[1:]
	}
	start, _ := literalStart(segments[0])
	if segments[0] == "**" {
		return e.everything(folder, strings.Join(segments, "/"))
	}
	rest := segments[1:]
	onlyFolders := len(rest) == 1 && rest[0] == ""
	for entry, err := range e.bucket.List(e.ctx, storage.WithPrefix(folder+start), storage.WithDelimiter("/")) {
		if err != nil {
			e.yield(entry, err)
			return false
		}
		name := strings.TrimSuffix(strings.TrimPrefix(entry.Key, folder), "/")
		if name == "" || !entry.IsPrefix && strings.HasSuffix(entry.Key, "/") || !doublestar.MatchUnvalidated(segments[0], name) {
			continue
		}
		switch {
		case len(rest) == 0, onlyFolders && entry.IsPrefix:
			if !e.yield(entry, nil) {
				return false
			}
		case entry.IsPrefix && !onlyFolders:
			if !e.walk(entry.Key, rest) {
				return false
			}
		}
	}
	return true
}

// everything matches a pattern that begins with ** with all keys in a folder.
func (e *expansion) everything(folder, pattern string) bool {
	for entry, err := range e.bucket.List(e.ctx, storage.WithPrefix(folder)) {
		if err != nil {
			e.yield(entry, err)
			return false
		}
		name := strings.TrimPrefix(entry.Key, folder)
		if name != "" && !strings.HasSuffix(name, "/") && doublestar.MatchUnvalidated(pattern, name) && !e.yield(entry, nil) {
			return false
		}
	}
	return true
}

func errNoMatch(l location, what string) error {
	return &storage.Error{
		Code: storage.ObjectNotFound, Key: l.key, Err: errors.New("no " + what + " matches the wildcards"),
		Hint: "check the key; to take wildcards literally, use --literal",
	}
}

// errOnlyFolders is the error of wildcards that match folders and no object.
func errOnlyFolders(l location, hint string) error {
	return &storage.Error{Code: storage.ObjectNotFound, Key: l.key, Err: errors.New("no object matches the wildcards"), Hint: "folders match: " + hint}
}

// eachMatch calls do with each object that an argument names: that of its key, or those that
// match its wildcards. After a failure it prints the error and continues.
func (p *program) eachMatch(ctx context.Context, text string, literal bool, do func(b storage.Bucket, l location) error) error {
	bucket, l, err := p.openObject(ctx, text)
	if err != nil {
		return err
	}
	if !l.hasWildcard || literal {
		return do(bucket, l)
	}
	found := false
	var first error
	for entry, err := range expand(ctx, bucket, l) {
		if err != nil {
			return errors.Join(first, err)
		}
		if entry.IsPrefix {
			continue
		}
		found = true
		at := l
		at.key, at.hasWildcard, at.pattern = entry.Key, false, ""
		if err := do(bucket, at); err != nil {
			if ctx.Err() != nil {
				return err
			}
			p.printError(err)
			if first == nil {
				first = reportedError{err}
			}
		}
	}
	if !found {
		return errNoMatch(l, "object")
	}
	return first
}
