package main

import "github.com/spf13/cobra"

// otherNames has, for each command, the names that other programs have for it. The error of such a
// name suggests the command.
var otherNames = map[string][]string{
	"bucket":  {"versioning", "lifecycle"},
	"check":   {"cryptcheck", "verify"},
	"cp":      {"copy", "copyto", "copyurl", "download", "get", "pipe", "put", "rcat", "upload"},
	"diff":    {"cmp", "compare"},
	"du":      {"size"},
	"expire":  {"ilm", "cleanup"},
	"hash":    {"checksum", "hashsum", "md5sum", "sha1sum", "sha256sum"},
	"ls":      {"dir", "list", "lsd", "lsf", "lsjson", "lsl"},
	"mb":      {"create", "create-bucket", "make", "makebucket", "mkdir"},
	"mv":      {"move", "moveto", "rename"},
	"rb":      {"delete-bucket", "remove-bucket", "removebucket", "rmdir", "rmdirs"},
	"rm":      {"del", "delete", "deletefile", "purge", "remove", "unlink"},
	"serve":   {"http", "server"},
	"sign":    {"link", "presign", "publiclink", "share", "sign-url", "signurl"},
	"stat":    {"attrs", "head-object", "info", "show"},
	"sync":    {"bisync", "mirror", "rsync"},
	"tag":     {"set-tags", "tags"},
	"version": {"about"},
}

// humanFlag registers the flag for sizes in units, whose letter is -h, as du and ls have it. Help is
// --help.
func humanFlag(c *cobra.Command, human *bool, usage string) {
	c.Flags().BoolVarP(human, "human", "h", false, usage)
	c.Flags().Bool("help", false, "help for "+c.Name())
}
