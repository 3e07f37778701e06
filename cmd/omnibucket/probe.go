package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/providers/s3/s3probe"
)

// probeCommand returns the command probe, which tests what an S3 server enforces.
func probeCommand(p *program.Program) *cobra.Command {
	return &cobra.Command{
		Use:   "probe LOCATION",
		Short: "Test what an S3 server enforces, and name its profile",
		Long: `Tests what an S3 server really enforces, with about 1,500 small requests, and names the
value of profile= for its address if the server names itself. The requests write below the
folder of the location, in a new folder that is removed afterwards.`,
		Example: `  omnibucket probe 's3://photos/tmp/?endpoint=http://127.0.0.1:9000'
  omnibucket probe 's3://photos/tmp/?endpoint=http://127.0.0.1:3900&profile=garage'`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return probe(c.Context(), p, args[0]) },
	}
}

// probe tests the S3 server of a location, and prints a report.
func probe(ctx context.Context, p *program.Program, text string) error {
	if err := p.NotInDryRun(); err != nil {
		return err
	}

	l, err := p.Stores.LocateInBucket(text)
	if err != nil {
		return err
	}

	// The whole bucket is opened, so the prefix of the location becomes a part of the folder.
	folder := location.AsFolder(l.Prefix + l.Key)
	l.Prefix = ""
	l.Key = ""
	bucket, err := p.Stores.Open(ctx, l)
	if err != nil {
		return err
	}

	client, isS3 := storage.As[*awss3.Client](bucket)
	if !isS3 {
		return argument.Invalid("location must be on an S3 server", "use an address that begins with s3://")
	}

	config := s3.Config{Bucket: l.Host, Client: client}
	// Open has parsed this query already, so there is no error.
	parameters, _ := url.ParseQuery(l.Query)
	if profile, ok := s3.NamedProfile(parameters.Get("profile")); ok {
		config.Profile = &profile
	}

	report, err := s3probe.Run(ctx, config, folder)
	if err != nil {
		return err
	}
	if p.Global.JSON {
		return p.Out.JSON(newProbeLine(report))
	}
	_, err = fmt.Fprint(p.Out, report)
	return err
}

// A probeLine is the report of probe in JSON.
type probeLine struct {
	Server  string      `json:"server"`
	Bucket  string      `json:"bucket"`
	Profile string      `json:"profile,omitempty"` // profile of the server
	Checks  []checkLine `json:"checks"`
	Left    string      `json:"left,omitempty"`
}

type checkLine struct {
	Name    string `json:"name"`
	Verdict string `json:"verdict"`
	Detail  string `json:"detail,omitempty"`
}

// newProbeLine converts a report to the line that --json prints.
func newProbeLine(r *s3probe.Report) probeLine {
	line := probeLine{Server: r.Server, Bucket: r.Bucket, Profile: r.Answers, Left: r.Left}
	for _, c := range r.Checks {
		line.Checks = append(line.Checks, checkLine{
			Name:    c.Name,
			Verdict: strings.ToLower(c.Verdict.String()),
			Detail:  c.Detail,
		})
	}
	return line
}
