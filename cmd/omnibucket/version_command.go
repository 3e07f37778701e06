package main

import (
	"runtime"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
)

// A versionReport is the version in JSON.
type versionReport struct {
	Version string `json:"version"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

func versionCommand(p *program.Program) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Long:  `Prints the version of this program, its revision, and the version of Go.`,
		Example: `  omnibucket version
  omnibucket version --json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return printVersion(p) },
	}
}

// printVersion prints the version of the program.
func printVersion(p *program.Program) error {
	if p.Global.JSON {
		return p.Out.JSON(versionReport{Version: version(), OS: runtime.GOOS, Arch: runtime.GOARCH})
	}
	p.Out.Printf("%s\n", version())
	return nil
}
