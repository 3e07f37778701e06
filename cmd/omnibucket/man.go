//go:build man

package main

import (
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// With the build tag man, the program has a hidden command that writes its manual pages. The
// release builds them; "make man" does, too.
func init() {
	addBuildCommands = func(root *cobra.Command) {
		root.AddCommand(&cobra.Command{
			Use: "man DIRECTORY", Hidden: true, Args: cobra.ExactArgs(1),
			RunE: func(_ *cobra.Command, args []string) error {
				if err := os.MkdirAll(args[0], 0o777); err != nil {
					return err
				}
				root.DisableAutoGenTag = true
				date := time.Unix(0, 0) // the same pages from every build
				return doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "omnibucket", Manual: "omnibucket", Date: &date}, args[0])
			},
		})
	}
}
