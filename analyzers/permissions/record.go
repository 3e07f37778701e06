package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strings"
)

const recordHeader = `# What each program may do with each bucket. "permissions -check" fails if a program does more,
# and "permissions -write" writes this file.
`

// writeFile writes the operations of all programs to a file, which -check reads.
func writeFile(path string, all []report) error {
	var text bytes.Buffer
	text.WriteString(recordHeader)
	for _, r := range all {
		fmt.Fprintln(&text, r.Program)
		for _, b := range r.Buckets {
			fmt.Fprintln(&text, "  "+b.Name)
			for _, o := range b.Operations {
				fmt.Fprintln(&text, "    "+o.Name)
			}
		}
	}
	return os.WriteFile(path, text.Bytes(), 0o644)
}

// A permit is one line of a file that -check reads. It allows one operation of a program on a
// bucket. The program and the bucket are named by lines before it.
type permit struct{ program, bucket, operation string }

// readFile returns the operations that a file of writeFile allows. A line of the file names a program,
// a bucket or an operation. A bucket belongs to the last program before it, and an operation to the
// last bucket. Two spaces come before the name of a bucket, and four before that of an operation.
func readFile(path string) (map[permit]bool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}

	allowed := map[permit]bool{}
	var current permit // has the last program and the last bucket
	lines := bufio.NewScanner(bytes.NewReader(text))
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimRight(lines.Text(), " \t\r")
		content := strings.TrimLeft(line, " ")
		depth := len(line) - len(content)
		isComment := strings.HasPrefix(content, "#")
		if content == "" || isComment {
			continue
		}

		switch {
		case depth == 0:
			current = permit{program: content}
		case depth == 2 && current.program != "":
			current.bucket = content
		case depth == 4 && current.bucket != "":
			allowed[permit{current.program, current.bucket, content}] = true
		default:
			return nil, fmt.Errorf("%s:%d: a program has 0 spaces before it, a bucket 2 and an operation 4", path, number)
		}
	}
	return allowed, lines.Err()
}

// checkFile prints the calls that need operations which the file does not allow.
func (c *command) checkFile(all []report) (status int, err error) {
	allowed, err := readFile(c.check)
	if err != nil {
		return 0, err
	}

	for _, r := range all {
		for _, b := range r.Buckets {
			for _, op := range b.Operations {
				if allowed[permit{r.Program, b.Name, op.Name}] {
					continue
				}
				status = statusFound
				for _, call := range op.Calls {
					fmt.Fprintf(c.stdout,
						"%s: %s does not allow %s %s on %s\n", call, c.check, r.Program, op.Name, b.Name)
				}
			}
		}
	}
	return status, nil
}
