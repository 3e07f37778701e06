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
	inWord := false
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case c == '#' && !inWord:
			return words, nil
		case c == ' ' || c == '\t' || c == '\r':
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		case c == '\'':
			end := strings.IndexByte(line[i+1:], '\'')
			if end < 0 {
				return nil, argument.Invalid("a quote must be closed", "")
			}
			word.WriteString(line[i+1 : i+1+end])
			inWord = true
			i += 1 + end
		case c == '"':
			end, err := unquote(&word, line[i+1:])
			if err != nil {
				return nil, err
			}
			inWord = true
			i += 1 + end
		case c == '\\':
			i++
			if i == len(line) {
				return nil, errors.New("invalid argument: a line must not end in a backslash")
			}
			word.WriteByte(line[i])
			inWord = true
		default:
			word.WriteByte(c)
			inWord = true
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
		c := text[i]
		switch {
		case c == '"':
			return i, nil
		case c == '\\' && i+1 < len(text) && strings.IndexByte("\"\\$`", text[i+1]) >= 0:
			i++
			word.WriteByte(text[i])
		default:
			word.WriteByte(c)
		}
	}
	return 0, argument.Invalid("a quote must be closed", "")
}
