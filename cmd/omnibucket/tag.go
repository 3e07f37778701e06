package main

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
)

// tagFlags are the flags of tag.
type tagFlags struct {
	set            []string
	remove         []string
	clear, literal bool
	attrs          []storage.AttrsOption
	change         []storage.SetOption
}

// tagCommand returns the command tag, which shows or changes the tags of objects.
func tagCommand(p *program.Program) *cobra.Command {
	var f tagFlags
	var version string
	c := &cobra.Command{
		Use:   "tag [flags] LOCATION...",
		Short: "Show or change the tags of objects",
		Long: `Shows the tags of objects, one in each line, or changes them. The bytes and the time of an
object stay.
` + program.WildcardHelp,
		Example: `  omnibucket tag 's3://photos/2026/a.jpg?region=eu-west-1'
  omnibucket tag --set state=done --set owner=me 'photos:2026/*.jpg'
  omnibucket tag --remove state photos:2026/a.jpg`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if f.clear && len(f.remove) > 0 {
				return argument.Invalid("--clear and --remove must not be used together", "")
			}
			if c.Flags().Changed("version") {
				f.attrs = append(f.attrs, storage.WithVersion(version))
				f.change = append(f.change, storage.WithVersion(version))
			}
			set, err := argument.ParsePairs("--set", f.set)
			if err != nil {
				return err
			}
			// A user may take these words for subcommands.
			if args[0] == "set" || args[0] == "list" {
				return argument.Invalid(args[0]+" must not be a location",
					"use --set KEY=VALUE to set a tag, and only the location to list tags; ./"+args[0]+" is a file")
			}
			return program.Each(c.Context(), p, args, func(text string) error {
				return p.EachMatch(c.Context(), text, f.literal, func(b storage.Bucket, l location.Location) error {
					return tag(c.Context(), p, &f, set, b, l.Key)
				})
			})
		},
	}

	flags := c.Flags()
	flags.StringArrayVar(&f.set, "set", nil, "add or replace the tag `key=value`; may be repeated")
	flags.StringArrayVar(&f.remove, "remove", nil, "remove the tag of this `key`; may be repeated")
	flags.BoolVar(&f.clear, "clear", false, "remove all other tags")
	flags.StringVar(&version, "version", "", "show or change the tags of this `version`")
	program.LiteralFlag(c, &f.literal)
	return c
}

// A tagLine has the tags of an object in JSON.
type tagLine struct {
	Key  string            `json:"key"`
	Tags map[string]string `json:"tags"`
}

// tag changes the tags of an object, or prints them if no flag asks for a change.
func tag(
	ctx context.Context, p *program.Program, f *tagFlags, set map[string]string, b storage.Bucket, key string,
) error {
	isChange := len(set) > 0 || len(f.remove) > 0 || f.clear
	if !isChange {
		tags, err := storage.Tags(ctx, b, key, f.attrs...)
		if err != nil {
			return err
		}
		return printTags(p, key, tags)
	}

	tags := map[string]string{}
	// With --clear, the old tags do not matter. But a dry run reads them, so that it fails if there is no object.
	if !f.clear || p.Global.DryRun {
		oldTags, err := storage.Tags(ctx, b, key, f.attrs...)
		if err != nil {
			return err
		}
		if !f.clear {
			maps.Copy(tags, oldTags)
		}
	}
	for _, name := range f.remove {
		delete(tags, name)
	}
	maps.Copy(tags, set)

	if err := program.IgnoreDryRun(storage.SetTags(ctx, b, key, tags, f.change...)); err != nil {
		return err
	}
	p.Emit(program.Event{Event: "changed", Key: key}, "changed "+p.Out.Printable(key))
	return nil
}

// printTags prints the key and the tags of an object in one line. In the text format, spaces within
// a tag are not escaped, so only the output of --json can be parsed.
func printTags(p *program.Program, key string, tags map[string]string) error {
	if p.Global.JSON {
		return p.Out.JSON(tagLine{Key: key, Tags: tags})
	}

	var line strings.Builder
	line.WriteString(key)
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		line.WriteString("  " + name + "=" + tags[name])
	}
	p.Out.Printf("%s\n", p.Out.Printable(line.String()))
	return p.Out.Err
}
