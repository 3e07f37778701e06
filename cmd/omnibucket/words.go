package main

import (
	"errors"
	"strings"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
)

// splitWords splits a line into words as a POSIX shell does, but without expansions. A word that
// begins with "#" begins a comment.
func splitWords(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	// inWord is also true for an empty word in quotes.
	inWord := false
	for i := 0; i < len(line); i++ {
		c := line[i]
		if c == ' ' || c == '\t' || c == '\r' {
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

// unquote appends text to word, up to the next unescaped double quote. It returns the position of
// that quote.
func unquote(word *strings.Builder, text string) (end int, err error) {
	for i := 0; i < len(text); i++ {
		if text[i] == '"' {
			return i, nil
		}
		// In double quotes, a backslash only escapes these characters. Before any other one, it is
		// literal.
		isEscape := text[i] == '\\' && i+1 < len(text) && strings.IndexByte("\"\\$`", text[i+1]) >= 0
		if isEscape {
			i++
		}
		word.WriteByte(text[i])
	}
	return 0, argument.Invalid("a quote must be closed", "")
}
