package engine

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// lockDataDir creates the folder when it is missing and takes its lock. The lock belongs to the
// open file: the kernel releases it when the process ends, however it ends, so a file that a crash
// left behind locks nothing.
func lockDataDir(dir string) (io.Closer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the data folder %s cannot be created (%w); set COURIER_DATA to a folder that can be written", dir, cause(err))
	}
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the data folder %s cannot be written (%w); set COURIER_DATA to a folder that can", dir, cause(err))
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer func() { _ = file.Close() }() // Nothing was written.
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("the data folder %s is in use by another process%s; stop that one or set COURIER_DATA to another folder",
				dir, holder(file))
		}
		return nil, fmt.Errorf("the data folder %s cannot be locked (%w); set COURIER_DATA to a folder on a local disk", dir, err)
	}

	// The number only serves the message above; the lock holds without it.
	if err := file.Truncate(0); err == nil {
		_, _ = file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return file, nil
}

// holder returns " (pid N)" for the process that wrote the lock file.
func holder(file io.ReaderAt) string {
	buf := make([]byte, 20)
	n, _ := file.ReadAt(buf, 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(buf[:n])))
	if err != nil {
		return ""
	}
	return fmt.Sprintf(" (pid %d)", pid)
}

// cause leaves out the operation and the path of a file error, which the message around it names
// better.
func cause(err error) error {
	if pathErr, ok := errors.AsType[*os.PathError](err); ok {
		return pathErr.Err
	}
	return err
}
