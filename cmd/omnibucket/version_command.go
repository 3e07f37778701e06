package main

import (
	"runtime"

	"github.com/spf13/cobra"
)

// A versionReport is the version in JSON.
type versionReport struct {
	Version string `json:"version"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Long:  `Prints the version of this program, its revision, and the version of Go.`,
		Example: `  omnibucket version
  omnibucket version --json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return p.printProgram() },
	}
}

// printProgram prints the version of the program.
func (p *program) printProgram() error {
	if p.global.json {
		return p.json(versionReport{version(), runtime.GOOS, runtime.GOARCH})
	}
	p.printf("%s\n", version())
	return nil
}
