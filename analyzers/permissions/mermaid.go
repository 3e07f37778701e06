package main

import (
	"fmt"
	"io"
	"strings"
)

// printMermaid prints a Mermaid flowchart of programs and buckets, with operations as the labels of
// the arrows between them. The arrow to an unknown bucket is dotted.
//
// https://mermaid.js.org/syntax/flowchart.html
func printMermaid(w io.Writer, reports []report) {
	fmt.Fprintln(w, "flowchart LR")
	bucketNumbers := map[string]int{}
	for i, r := range reports {
		programNumber := i + 1
		fmt.Fprintf(w, "  p%d[%s]\n", programNumber, mermaidText(r.Program))

		for _, b := range r.Buckets {
			key := b.Name
			arrow := "-->"
			if b.Unknown {
				// Two programs may have the same name for different buckets.
				key += " of " + r.Program
				arrow = "-.->"
			}
			number, exists := bucketNumbers[key]
			if !exists {
				number = len(bucketNumbers) + 1
				bucketNumbers[key] = number
				fmt.Fprintf(w, "  b%d[(%s)]\n", number, mermaidText(b.Name))
			}
			label := mermaidText(strings.Join(b.operationNames(), ", "))
			fmt.Fprintf(w, "  p%d %s|%s| b%d\n", programNumber, arrow, label, number)
		}
	}
}

var mermaidEntities = strings.NewReplacer(`"`, "#quot;", "#", "#35;", "`", "#96;", "<", "#lt;", ">", "#gt;")

// mermaidText returns text in quotes. It replaces characters that would end the text, or that are
// Markdown, by entities.
func mermaidText(text string) string {
	return `"` + mermaidEntities.Replace(text) + `"`
}
