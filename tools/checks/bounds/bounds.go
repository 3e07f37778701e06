package main

import (
	"bufio"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	maxColumns = 120 // columns of a line; a tab counts as four
	perLong    = 167 // one line in 167 (0.6 percent) may be longer
	maxNames   = 90  // largest number of names that a package may export
	root       = "github.com/omnibucket/storage"
	rootNames  = 300 // largest number of names that the root package may export
)

// A folder counts the lines of Go files in one directory, without tests.
type folder struct {
	lines int
	long  []string // position of each line that is too long, as file and line number
}

// check returns a message for each limit that the repository in the directory dir exceeds.
func check(dir string) ([]string, error) {
	folders, err := read(dir)
	if err != nil {
		return nil, err
	}
	var passed []string
	for _, name := range slices.Sorted(maps.Keys(folders)) {
		passed = append(passed, folders[name].passed(name)...)
	}
	names, err := exported(filepath.Join(dir, "api.txt"))
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if bound := namesOf(name); names[name] > bound {
			passed = append(passed, fmt.Sprintf(
				"%s: %d exported names, more than %d: a user reads the list of all of them to find one", name,
				names[name], bound,
			))
		}
	}
	return passed, nil
}

func namesOf(path string) int {
	if path == root {
		return rootNames
	}
	return maxNames
}

// passed returns a message if the folder exceeds the limit for long lines. Otherwise it returns
// nil.
func (f *folder) passed(name string) []string {
	if len(f.long) < 2 || len(f.long)*perLong <= f.lines {
		return nil
	}
	return []string{fmt.Sprintf(
		"%s: %d of %d lines have more than %d columns, and 0.6 percent may: a reader scrolls sideways; break those of\n\t%s",
		name, len(f.long), f.lines, maxColumns, strings.Join(f.long, "\n\t"),
	)}
}

// read counts the lines of all Go files below dir, by folder.
func read(dir string) (map[string]*folder, error) {
	folders := map[string]*folder{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if name == "testdata" || name == "node_modules" || name != "." && strings.HasPrefix(name, ".") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		in := filepath.ToSlash(filepath.Dir(path))
		if folders[in] == nil {
			folders[in] = &folder{}
		}
		return folders[in].add(path)
	})
	return folders, err
}

// add counts the lines of the file at path.
func (f *folder) add(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for number, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		f.lines++
		if columns(line) > maxColumns && !mayBeLong(line) {
			f.long = append(f.long, fmt.Sprintf("%s:%d", path, number+1))
		}
	}
	return nil
}

func columns(line string) int { return utf8.RuneCountInString(line) + 3*strings.Count(line, "\t") }

// text is a regular expression for a line that contains only a string, or assigns a string to a
// name. Such a line may be long, because a search for the text of a message must find the line.
var text = regexp.MustCompile("^(?:(?:const )?\\w+(?::| :?=)\\s*|return |\\w+\\s+= )?(?:\"[^\"]*\"|`[^`]*`)[,+ ]*$")

// mayBeLong reports whether a line may be longer than the limit. This holds for a row of a table,
// for a text, and for a line with a URL, which cannot be broken.
func mayBeLong(line string) bool {
	line = strings.TrimSpace(line)
	row := strings.HasSuffix(line, ",") && (strings.HasPrefix(line, "{") || strings.HasPrefix(line, `"`))
	return row || text.MatchString(line) || strings.Contains(line, "://")
}

// declaration matches a line of api.txt that declares a function, type, constant or variable. It
// does not match a method or a field.
var declaration = regexp.MustCompile(`^(\S+): (?:func \w|type \w+(?:\[.*\])? |(?:const|var) )`)

// exported returns how many names each package exports. list is the path of api.txt.
func exported(list string) (map[string]int, error) {
	f, err := os.Open(list)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // an error of Close does not matter after reading
	names := map[string]int{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if m := declaration.FindStringSubmatch(lines.Text()); m != nil {
			names[m[1]]++
		}
	}
	return names, lines.Err()
}
