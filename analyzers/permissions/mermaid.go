package main

import (
	"fmt"
	"io"
	"strings"
)

// printMermaid prints a Mermaid flowchart of programs and buckets. The arrows between them are
// labeled with the operations. The arrow to an unknown bucket is dotted.
//
// https://mermaid.js.org/syntax/flowchart.html
func printMermaid(w io.Writer, all []report) {
	fmt.Fprintln(w, "flowchart LR")
	numbers := map[string]int{}
	for i, r := range all {
		fmt.Fprintf(w, "  p%d[%s]\n", i+1, mermaidText(r.Program))
		for _, b := range r.Buckets {
			key := b.Name
			if b.Unknown {
				// Two programs may have the same name for different buckets.
				key += " of " + r.Program
			}
			number, exists := numbers[key]
			if !exists {
				number = len(numbers) + 1
				numbers[key] = number
				fmt.Fprintf(w, "  b%d[(%s)]\n", number, mermaidText(b.Name))
			}
			arrow := "-->"
			if b.Unknown {
				arrow = "-.->"
			}
			var names []string
			for _, o := range b.Operations {
				names = append(names, o.Name)
			}
			fmt.Fprintf(w, "  p%d %s|%s| b%d\n", i+1, arrow, mermaidText(strings.Join(names, ", ")), number)
		}
	}
}

var mermaidEntities = strings.NewReplacer(`"`, "#quot;", "#", "#35;", "`", "#96;", "<", "#lt;", ">", "#gt;")

// mermaidText returns text in quotes. It replaces characters that would end the text, or that are
// Markdown, by entities.
func mermaidText(text string) string {
	return `"` + mermaidEntities.Replace(text) + `"`
}
