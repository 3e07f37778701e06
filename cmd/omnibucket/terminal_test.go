package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/testserver"
)

// A terminal is a window of tmux in which a shell runs.
type terminal struct {
	t      *testing.T
	socket string
	dir    string
	env    []string
}

// newTerminal starts a shell whose command omnibucket is this program.
func newTerminal(t *testing.T, shell ...string) *terminal {
	t.Helper()
	testserver.Program(t, "tmux")
	dir := t.TempDir()
	program, err := os.Executable()
	require.NoError(t, err)
	require.NoError(t, os.Symlink(program, filepath.Join(dir, "omnibucket")))
	w := &terminal{t: t, socket: filepath.Join(dir, "tmux"), dir: dir}
	w.env = append(os.Environ(), asProgram+"=1", "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"), "XDG_CONFIG_HOME="+filepath.Join(dir, "config"), "HOME="+dir, "TERM=xterm", "HISTFILE="+os.DevNull)
	w.tmux(append([]string{"-f", os.DevNull, "new-session", "-d", "-x", "120", "-y", "30", "-c", dir}, shell...)...)
	t.Cleanup(func() { w.tmux("kill-server") })
	return w
}

// tmux runs a command of tmux, and returns its output.
func (w *terminal) tmux(args ...string) string {
	w.t.Helper()
	cmd := exec.Command("tmux", append([]string{"-S", w.socket}, args...)...)
	cmd.Env = w.env
	data, err := cmd.CombinedOutput()
	require.NoError(w.t, err, "%s", data)
	return string(data)
}

// screen returns the text of the window.
func (w *terminal) screen() string { return w.tmux("capture-pane", "-p") }

// The method types enters a text into the terminal, and then presses the keys.
func (w *terminal) types(text string, keys ...string) {
	w.t.Helper()
	w.tmux("send-keys", "-l", text)
	if len(keys) > 0 {
		w.tmux(append([]string{"send-keys"}, keys...)...)
	}
}

// shows waits until the screen satisfies a condition, and returns the text of the screen.
func (w *terminal) shows(what string, condition func(screen string) bool) string {
	w.t.Helper()
	screen := ""
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		screen = w.screen()
		if condition(screen) {
			return screen
		}
	}
	require.Fail(w.t, "the terminal never shows "+what, screen)
	return ""
}

// showsText waits until the screen has a text, and returns the whole text of the screen.
func (w *terminal) showsText(text string) string {
	w.t.Helper()
	return w.shows(text, func(screen string) bool { return strings.Contains(screen, text) })
}

// In a terminal, a transfer shows a bar with its progress and removes it at the end.
func TestTerminalProgress(t *testing.T) {
	w := newTerminal(t, "sh")
	large := strings.Repeat("x", 3<<20)
	writeFiles(t, w.dir, map[string]string{"src/a": large, "src/b": large, "out/.keep": ""})

	tests := []struct{ name, command, shows string }{
		{name: "a job", command: "omnibucket sync -v --bwlimit 2M src file://$PWD/out", shows: "/2 files, "},
		{
			name:    "several files",
			command: "omnibucket cp --bwlimit 2M src/a src/b file://$PWD/out#both/",
			shows:   "/2 files, ",
		},
		{name: "a large file", command: "omnibucket cp --bwlimit 2M src/a file://$PWD/out#copy", shows: " MiB, "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.t = t
			w.types("clear; "+tt.command+"; echo exit=$?", "Enter")

			// Wait until the bar is shown, and then until the command has ended.
			screen := w.shows("progress", func(screen string) bool {
				return strings.Contains(screen, tt.shows) && strings.Contains(screen, "MiB/s, ETA 0:0")
			})
			require.Contains(t, screen, "[")
			screen = w.showsText("exit=0")
			require.NotContains(t, screen, "ETA 0:")
		})
	}
}

// A pipe gets no progress. It gets only what -v prints.
func TestTerminalNoProgressInAPipe(t *testing.T) {
	w := newTerminal(t, "sh")
	large := strings.Repeat("x", 3<<20)
	writeFiles(t, w.dir, map[string]string{"src/a": large, "src/b": large, "out/.keep": ""})

	w.types("clear; omnibucket sync -v --bwlimit 2M src file://$PWD/out#again/ 2>log | cat; cat log; echo end=$?", "Enter")
	screen := w.showsText("end=0")
	require.NotContains(t, screen, "ETA")
	require.Contains(t, screen, "transferred a")
}

// Control-C ends a transfer with exit code 130 and removes the bar of its progress.
func TestTerminalControlC(t *testing.T) {
	w := newTerminal(t, "sh")
	writeFiles(t, w.dir, map[string]string{"src/a": strings.Repeat("x", 1<<20), "out/.keep": ""})

	w.types("clear; omnibucket sync --bwlimit 50K src file://$PWD/out; echo exit=$?", "Enter")
	w.showsText("ETA 0:")
	w.tmux("send-keys", "C-c")
	screen := w.showsText("exit=130")
	require.NotContains(t, screen, "ETA")
	require.NoFileExists(t, filepath.Join(w.dir, "out", "a"))
}

// completingShells has the shells in which completion is tested. PowerShell is missing, because no
// machine of the tests has it.
var completingShells = []struct {
	name  string
	start []string
	load  string // for a session, as the help of completion says
}{
	{
		name:  "bash",
		start: []string{"bash", "--norc", "--noprofile"},
		load:  `PS1='> '; PS2='quote> '; source <(omnibucket completion bash)`,
	},
	{
		name:  "zsh",
		start: []string{"zsh", "-f"},
		load:  `PS1='> '; PROMPT_EOL_MARK=; mkdir fns; fpath=($PWD/fns $fpath); omnibucket completion zsh > "${fpath[1]}/_omnibucket"; autoload -U compinit; compinit -u -D`,
	},
	{
		name:  "fish",
		start: []string{"fish", "--no-config"},
		load:  `function fish_prompt; echo -n '> '; end; mkdir -p ~/.config/fish/completions; omnibucket completion fish > ~/.config/fish/completions/omnibucket.fish; set fish_complete_path ~/.config/fish/completions; set fish_autosuggestion_enabled 0`,
	},
}

// The completion scripts work in real shells.
func TestCompletionInShells(t *testing.T) {
	for _, shell := range completingShells {
		t.Run(shell.name, func(t *testing.T) {
			testserver.Program(t, shell.name)
			testCompletion(t, shell.start, shell.load)
		})
	}
}

// testCompletion types the beginning of an argument and presses the tab key. The shell must
// complete the argument.
func testCompletion(t *testing.T, start []string, load string) {
	w := newTerminal(t, start...)
	writeFiles(t, w.dir, map[string]string{
		"disk/photos/2026/a.jpg":   "a",
		"disk/photos/2026/b c.jpg": "b",
		"disk/photos/2026/d e1":    "",
		"disk/photos/2026/d e2":    "",
		"disk/notes.txt":           "n",
		"site/index.html":          "x",
	})

	w.types(load+"; omnibucket config add disk ./disk; clear; echo ready", "Enter")
	w.shows("ready", func(screen string) bool { return strings.HasPrefix(screen, "ready\n") })
	tests := []struct{ name, text, becomes string }{
		{"a command", "omnibucket sy", "omnibucket sync "},
		{"a flag", "omnibucket sync --max-d", "omnibucket sync --max-delete"},
		{"a configured name", "omnibucket ls di", "omnibucket ls disk"},
		{"a key", "omnibucket ls disk:no", "omnibucket ls disk:notes.txt"},
		{"a folder", "omnibucket ls disk:photos/2", "omnibucket ls disk:photos/2026/"},
		{"a key with a space", "omnibucket ls disk:photos/2026/b", `omnibucket ls disk:photos/2026/b\ c.jpg`},
		{"keys with a space", "omnibucket ls disk:photos/2026/d", `omnibucket ls disk:photos/2026/d\ e`},
		{"a path", "omnibucket serve si", "omnibucket serve site/"},
		{"a setting", "omnibucket config set bwl", "omnibucket config set bwlimit"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.t = t
			w.types(tt.text, "Tab")
			w.showsText("> " + strings.TrimSpace(tt.becomes))
			w.tmux("send-keys", "C-u")
			w.types("clear; echo next", "Enter")
			w.shows("next", func(screen string) bool { return strings.HasPrefix(screen, "next\n") })
		})
	}
}

// commandsAsNames has names of files. If a shell executed a name, it would create the file pwned.
// Each name begins with another letter.
var commandsAsNames = []string{
	"a$(touch${IFS}pwned)", "b`touch${IFS}pwned`", "c;touch pwned;", "d&touch pwned&", "e|touch pwned|", "f'$(touch pwned)'", `g"$(touch pwned)"`,
	"h>pwned>", "i(touch pwned)", "j\ntouch pwned\n", "k <(touch pwned) ", `l\\$(touch pwned)`, "m-x=$(touch${IFS}pwned)=", "n {x,$(touch pwned)} ", "o !$(touch pwned) ",
}

// waitsForEnd waits until the command in text has ended. Then the shell prints next on an empty
// screen.
func (w *terminal) waitsForEnd(text, next string) {
	w.t.Helper()
	hasEnded := func(screen string) bool { return strings.HasPrefix(screen, next+"\n") }
	w.types("clear; echo "+next, "Enter")
	screen := w.shows(next+" after "+text, func(screen string) bool {
		return hasEnded(screen) || strings.Contains(screen, "quote> clear; echo "+next)
	})
	if hasEnded(screen) {
		return
	}

	// readline has opened a quote, because the file name has several lines.
	w.types("", "C-c")
	w.shows("a prompt", func(screen string) bool { return strings.HasSuffix(strings.TrimSpace(screen), "\n>") })
	w.types("clear; echo "+next, "Enter")
	w.shows(next+" after "+text, hasEnded)
}

// No shell executes the text of a completed name, not even the common beginning of two names.
func TestCompletionIsNotExecuted(t *testing.T) {
	for _, shell := range completingShells {
		t.Run(shell.name, func(t *testing.T) {
			testserver.Program(t, shell.name)
			w := newTerminal(t, shell.start...)
			writeFiles(t, w.dir, map[string]string{"disk/pair x1": "", "disk/pair x2": ""})
			// Each name begins with another letter, and would create the file pwned if a shell
			// executed it. Two files and two folders have each name as their common beginning,
			// which a shell completes.
			for _, name := range commandsAsNames {
				writeFiles(t, w.dir, map[string]string{
					"disk/" + name + "1":        "",
					"disk/" + name + "2":        "",
					"files/" + name + "1/below": "",
					"files/" + name + "2/below": "",
				})
			}

			w.types(shell.load+"; omnibucket config add disk ./disk; clear; echo ready", "Enter")
			w.shows("ready", func(screen string) bool { return strings.HasPrefix(screen, "ready\n") })

			// The shell completes arguments within quotes, and from the first letter of each name.
			texts := []string{
				"omnibucket ls disk:pair\\ x",
				"omnibucket cp 'disk:a$(touch pwned)1' disk:pair",
				"omnibucket ls 'disk:m-x=$(touch${IFS}pwned)=",
			}
			for _, name := range commandsAsNames {
				texts = append(texts,
					"omnibucket ls disk:"+name[:1],
					"omnibucket ls files/"+name[:1],
					"omnibucket ls file://"+w.dir+"/disk#"+name[:1],
				)
			}

			for i, text := range texts {
				w.types(text, "Tab", "Tab")
				// In fish, the first Enter chooses a name from a list.
				closingQuote := strings.Repeat("'", strings.Count(text, "'")%2)
				w.types(closingQuote, "Enter", "Enter")

				w.waitsForEnd(text, fmt.Sprintf("next%d", i))
				require.NoFileExists(t, filepath.Join(w.dir, "pwned"), text)
			}
		})
	}
}
