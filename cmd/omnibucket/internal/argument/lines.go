package argument

import (
	"bufio"
	"errors"
	"io"
	"os"
	"strings"
)

// ReadPatterns reads the patterns in the file that is the value of flag: one in each line, without empty
// lines and comments.
func ReadPatterns(flag, path string) ([]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, OfPath(path, err)
	}
	defer file.Close()

	var patterns []string
	lines := bufio.NewScanner(WithoutMark(file))
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), " \t\r")
		switch {
		case strings.IndexByte(line, 0) >= 0:
			// This is UTF-16, which PowerShell writes. No pattern would match.
			return nil, Invalid(flag+" must name a file of text in UTF-8", "")
		case line == "" || strings.HasPrefix(line, "#"):
			// This line has no pattern.
		case strings.HasPrefix(line, "!"):
			return nil, Invalid(
				flag+` must not have a pattern that begins with "!"`,
				`write "\!" for a name that begins with "!"`,
			)
		default:
			patterns = append(patterns, line)
		}
	}

	err = lines.Err()
	if errors.Is(err, bufio.ErrTooLong) {
		return nil, Invalid(flag+" must have patterns of at most 64 KiB", "")
	}
	if err != nil {
		return nil, Invalid(flag+" must name a file that can be read: "+err.Error(), "")
	}
	return patterns, nil
}

// WithoutMark returns a reader of text that skips a byte order mark at the start, which editors on Windows write.
func WithoutMark(text io.Reader) io.Reader {
	const mark = "\uFEFF"
	r := bufio.NewReader(text)

	// The caller gets an error of Peek when it reads.
	if start, _ := r.Peek(len(mark)); string(start) == mark {
		_, _ = r.Discard(len(mark))
	}
	return r
}
