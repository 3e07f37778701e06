package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/omnibucket/storage"
)

const (
	encryptedAtRest = "set kms_key= in the address, or the default encryption of the bucket: Amazon encrypts every object"
	encryptedHere   = "give the location the layer encrypt, so that the store sees only encrypted bytes"
	trusted         = "set AWS_CA_BUNDLE to the certificate of the server"
	accessList      = "use --public to let anyone read the object, and a policy of the bucket for anything else"
)

// otherFlags maps flags of other programs to hints. If a hint is itself a flag, it is given only
// for commands that have the flag.
var otherFlags = map[string]string{
	"acl":                       accessList,
	"grants":                    accessList,
	"s3-acl":                    accessList,
	"sse":                       encryptedAtRest,
	"sse-kms-key-id":            encryptedAtRest,
	"s3-server-side-encryption": encryptedAtRest,
	"enc-s3":                    encryptedAtRest,
	"enc-kms":                   encryptedAtRest,
	"sse-c":                     encryptedHere,
	"enc-c":                     encryptedHere,
	"no-sign-request":           "set anonymous=true in the address",
	"no-verify-ssl":             trusted,
	"insecure":                  trusted,

	"exact-timestamps": "leave it out, or use --checksum",
	"fast-list":        "leave it out: a tree is listed with few requests",
	"filter":           "use --include and --exclude",
	"head":             "use the command head, or --range 0:COUNT",
	"offset":           "use --range OFFSET or OFFSET:LENGTH",
	"overwrite":        "leave it out: a file that differs is replaced",
	"progress":         "leave it out: a terminal shows the progress",
	"stats":            "leave it out: a terminal shows the progress, and the last line counts the files",
	"summarize":        "use the command du, which adds up sizes",
	"update":           "leave it out: sync and cp -r copy what differs; --ignore-existing keeps what is there",
	"versions":         "use ls --versions to list them, and expire --old-versions to remove them",

	"dryrun":           "--dry-run",
	"endpoint-url":     "--endpoint",
	"only-show-errors": "--quiet",
	"human-readable":   "--human",
	"humanize":         "--human",
	"follow-symlinks":  "--links",
	"copy-links":       "--links",
	"readonly":         "--read-only",
	"no-overwrite":     "--ignore-existing",
	"no-clobber":       "--ignore-existing",
	"numworkers":       "--concurrency",
	"transfers":        "--concurrency",
	"checkers":         "--concurrency",
	"retry-count":      "--retries",
	"max-age":          "--newer",
	"newer-than":       "--newer",
	"min-age":          "--older",
	"older-than":       "--older",
	"expires-in":       "--ttl",
	"expires":          "--ttl",
	"expire":           "--ttl",
	"expiry":           "--ttl",
	"duration":         "--ttl",
	"tags":             "--tag",
	"attr":             "--metadata",
	"remove":           "--delete",
	"version-id":       "--version",
	"name":             "--include",
	"iname":            "--include",
	"limit-upload":     "--bwlimit",
	"limit-download":   "--bwlimit",
}

// explainFlag adds a hint to the error of an unknown flag, which may be one of another program or
// misspelled.
func explainFlag(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}

	name := unknown.GetSpecifiedName()
	if letters := unknown.GetSpecifiedShortnames(); letters != "" {
		// The letters after a single dash may be the name of a long flag, as in find -name.
		isLongName := otherFlags[letters] != ""
		if !isLongName {
			return explainShortFlag(c, unknown)
		}
		name = letters
	}

	hint := otherFlagHint(c, name)
	if hint == "" {
		hint = nearestFlags(c, name)
	}
	if hint == "" {
		return err
	}
	return &storage.Error{Code: storage.InvalidArgument, Err: err, Hint: hint}
}

// otherFlagHint returns the hint for a flag of another program, or "" if c has no flag for that
// purpose.
func otherFlagHint(c *cobra.Command, name string) string {
	hint := otherFlags[name]
	if flag, isFlag := strings.CutPrefix(hint, "--"); isFlag {
		if c.Flag(flag) == nil {
			return ""
		}
		return "use " + hint
	}
	// This hint names the flag --public.
	if hint == accessList && c.Flag("public") == nil {
		return ""
	}
	return hint
}

// nearestFlags returns a hint with the flags of c whose names resemble name, or "" if there are none.
func nearestFlags(c *cobra.Command, name string) string {
	// At most two letters may differ, and fewer in a short name.
	maxDistance := min(2, len(name)/4)
	// Cobra suggests only names of commands, so each flag becomes a command.
	root := cobra.Command{SuggestionsMinimumDistance: maxDistance}
	c.Flags().VisitAll(func(f *pflag.Flag) {
		root.AddCommand(&cobra.Command{Use: f.Name, Hidden: f.Hidden, Run: func(*cobra.Command, []string) {}})
	})
	names := root.SuggestionsFor(name)
	if len(names) == 0 {
		return ""
	}
	return "use --" + strings.Join(names, " or --")
}
