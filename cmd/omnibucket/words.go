package main

import (
	"errors"
	"strings"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
)

// splitWords splits a line into words as a POSIX shell does, with its quotes and comments but
// without expansions.
func splitWords(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	// A word may be empty, in quotes, and so its length does not tell that it has begun.
	inWord := false
	for i := 0; i < len(line); i++ {
		c := line[i]
		isBlank := c == ' ' || c == '\t' || c == '\r'
		if isBlank {
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
			continue
		}
		if c == '#' && !inWord {
			return words, nil
		}

		inWord = true
		rest := line[i+1:]
		switch c {
		case '\'':
			end := strings.IndexByte(rest, '\'')
			if end < 0 {
				return nil, argument.Invalid("a quote must be closed", "")
			}
			word.WriteString(rest[:end])
			// The closing quote is skipped, too.
			i += end + 1
		case '"':
			end, err := unquote(&word, rest)
			if err != nil {
				return nil, err
			}
			i += end + 1
		case '\\':
			if rest == "" {
				return nil, errors.New("invalid argument: a line must not end in a backslash")
			}
			word.WriteByte(rest[0])
			i++
		default:
			word.WriteByte(c)
		}
	}

	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

// unquote appends the part of text before the closing double quote to word, without its escapes. It
// returns the index of that quote.
func unquote(word *strings.Builder, text string) (end int, err error) {
	for i := 0; i < len(text); i++ {
		if text[i] == '"' {
			return i, nil
		}
		// Within double quotes, a backslash is an escape only before one of these characters.
		isEscape := text[i] == '\\' && i+1 < len(text) && strings.IndexByte("\"\\$`", text[i+1]) >= 0
		if isEscape {
			i++
		}
		word.WriteByte(text[i])
	}
	return 0, argument.Invalid("a quote must be closed", "")
}
