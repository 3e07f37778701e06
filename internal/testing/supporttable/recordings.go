package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A recording is the result of playing recorded responses to a driver. Its fields are those of
// Summary in internal/testing/recorded.
type recording struct {
	Name, Provider, First, Last string
	Exchanges, Right, Binary    int
	Tallies                     []struct {
		Kind             string
		Exchanges, Right int
		Skipped          map[string]int `json:"unplayed"`
	}
}

// A repetition is the result of sending recorded requests to a server. Its fields are those of
// RequestSummary in internal/testing/recorded.
type repetition struct {
	Name, Provider, Server        string
	Requests, Repeated, Differing int
	Skipped                       map[string]int
}

// isRecording reports whether a file is about a recording, and has no results of the suite.
func isRecording(path string) bool {
	name := filepath.Base(path)
	return strings.HasPrefix(name, "recording-") || strings.HasPrefix(name, "requests-")
}

// readRecordings returns the recordings, sorted by provider.
func readRecordings(dir string) ([]recording, error) {
	recordings, err := readAll[recording](dir, "recording-*.json")
	slices.SortStableFunc(recordings, func(a, b recording) int {
		return strings.Compare(a.Provider+a.Last, b.Provider+b.Last)
	})
	return recordings, err
}

// readRepetitions returns the repetitions, sorted by provider.
func readRepetitions(dir string) ([]repetition, error) {
	repetitions, err := readAll[repetition](dir, "requests-*.json")
	slices.SortStableFunc(repetitions, func(a, b repetition) int {
		return strings.Compare(a.Provider+a.Name, b.Provider+b.Name)
	})
	return repetitions, err
}

// readAll returns the decoded files whose names match a pattern.
func readAll[T any](dir, pattern string) ([]T, error) {
	paths, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		return nil, err
	}

	values := make([]T, len(paths))
	for i, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(data, &values[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return values, nil
}

// months returns the month of the first response, and that of the last if it is another one.
func (r *recording) months() string {
	if r.First == r.Last {
		return r.First
	}
	return r.First + " to " + r.Last
}

// replayed returns how many recorded responses were given to the driver: all but those that the tallies
// count as skipped.
func (r *recording) replayed() int {
	skipped := 0
	for _, tally := range r.Tallies {
		for _, count := range tally.Skipped {
			skipped += count
		}
	}
	return r.Exchanges - skipped
}

// renderRecordings writes what the drivers did with recorded responses: a row for each recording,
// and one for each kind of request.
func renderRecordings(w io.Writer, recordings []recording) {
	if len(recordings) == 0 {
		return
	}

	fmt.Fprint(w, "\n## Recorded responses of the clouds\n\n",
		"Others have recorded these responses with accounts of their own, and publish them in Go modules that this\n",
		"repository requires. `make test` gives each one to the driver as the response to its own request, and compares\n",
		"what a caller learns with what the response says. A recorded response is not an account: [certify](certified.md)\n",
		"runs the suite on yours.\n\n",
		"| cloud | recorded in | recorded | responses | played | right |\n|---|---|---|---|---|---|\n")
	for _, r := range recordings {
		fmt.Fprintf(w, "| %s | %s | %s | %d | %d | %d |\n",
			r.Provider, r.Name, r.months(), r.Exchanges, r.replayed(), r.Right)
	}

	fmt.Fprint(w, "\nPlayed, by the kind of the request:\n\n| kind |")
	for _, r := range recordings {
		fmt.Fprintf(w, " %s, %s |", r.Provider, r.Name)
	}
	fmt.Fprint(w, "\n|---|", strings.Repeat("---|", len(recordings)), "\n")
	for _, kind := range kindsOf(recordings) {
		fmt.Fprintf(w, "| %s |", kind)
		for _, r := range recordings {
			fmt.Fprintf(w, " %s |", r.countOf(kind))
		}
		fmt.Fprintln(w)
	}

	renderSkipped(w, recordings)
}

// kindsOf returns the sorted kinds of the responses that were replayed.
func kindsOf(recordings []recording) []string {
	var kinds []string
	for i := range recordings {
		for _, tally := range recordings[i].Tallies {
			if tally.Right > 0 {
				kinds = append(kinds, tally.Kind)
			}
		}
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

// countOf returns the number of right results of a kind, or "–".
func (r *recording) countOf(kind string) string {
	for _, tally := range r.Tallies {
		if tally.Kind == kind {
			return fmt.Sprint(tally.Right)
		}
	}
	return "–"
}

// renderSkipped lists the responses that were not replayed, in one row for each reason.
func renderSkipped(w io.Writer, recordings []recording) {
	fmt.Fprint(w, "\nNot played:\n\n| recording | why | kinds |\n|---|---|---|\n")
	for _, r := range recordings {
		kinds := map[string][]string{} // by reason
		for _, tally := range r.Tallies {
			for reason, count := range tally.Skipped {
				kinds[reason] = append(kinds[reason], fmt.Sprintf("%s (%d)", tally.Kind, count))
			}
		}
		for _, reason := range slices.Sorted(maps.Keys(kinds)) {
			fmt.Fprintf(w, "| %s, %s | %s | %s |\n",
				r.Provider, r.Name, cell(reason), cell(strings.Join(kinds[reason], "; ")))
		}
		if r.Binary > 0 {
			fmt.Fprintf(w, "| %s, %s | gRPC, which the driver does not speak | %d files |\n",
				r.Provider, r.Name, r.Binary)
		}
	}
}

// renderRepetitions writes what servers of tests did with recorded requests: a row for each
// recording, and one for each reason not to send requests.
func renderRepetitions(w io.Writer, repetitions []repetition) {
	if len(repetitions) == 0 {
		return
	}

	fmt.Fprint(w, "\n### Recorded requests\n\n",
		"The requests of these recordings go to our S3 server, and to the servers that take the place of Google and\n",
		"Azure in tests. Status, headers and documents are compared with those of the cloud. For Google's client,\n",
		"whose recording is of 2019, only status and bytes are. A difference that stays is a row in the test, with a\n",
		"reason.\n\n",
		"| cloud | recorded in | sent to | requests | repeated | with such a difference |\n|---|---|---|---|---|---|\n")
	for _, r := range repetitions {
		fmt.Fprintf(w, "| %s | %s | %s | %d | %d | %d |\n",
			r.Provider, r.Name, r.Server, r.Requests, r.Repeated, r.Differing)
	}

	fmt.Fprint(w, "\nNot repeated:\n\n| cloud | recorded in | why | requests |\n|---|---|---|---|\n")
	for _, r := range repetitions {
		for _, reason := range slices.Sorted(maps.Keys(r.Skipped)) {
			fmt.Fprintf(w, "| %s | %s | %s | %d |\n", r.Provider, r.Name, cell(reason), r.Skipped[reason])
		}
	}
}
