package console

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vbauerster/mpb/v8"
	"golang.org/x/sys/unix"

	"github.com/omnibucket/storage/transfer"
)

// newTerminal returns both ends of a terminal of 0 columns and 0 rows, as the kernel makes it.
func newTerminal(t *testing.T) (screen, terminal *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = screen.Close() })
	require.NoError(t, unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = terminal.Close() })
	return screen, terminal
}

// A progress bar is drawn even on a terminal that reports no size, such as that of a container.
func TestTerminalWithoutASize(t *testing.T) {
	screen, terminal := newTerminal(t)
	require.True(t, IsTerminal(terminal))
	require.False(t, hasSize(terminal))

	refresh := make(chan any) // each value makes mpb draw the bar
	b := NewProgressBar(terminal, mpb.WithManualRefresh(refresh))
	b.Update(transfer.Progress{Files: 1, TotalFiles: 2, Listed: true})
	refresh <- time.Time{}

	// Read the screen until it shows the bar.
	output := ""
	buf := make([]byte, 1024)
	for !strings.Contains(output, "1/2 files") {
		n, err := screen.Read(buf)
		require.NoError(t, err)
		output += string(buf[:n])
	}

	// End the goroutines of mpb.
	b.Bar.Abort(true)
	b.Screen.Wait()
}
