; The Windows installer, for NSIS 3: `installer/bundle.py` compiles it, with VERSION, NUMBER (four parts), SOURCE (the
; folder of the frozen app) and OUT.
;
; For one user, without administrator's rights: the program goes to the user's own programs folder, its command to the
; folder for commands that Windows has on every user's PATH (PATH itself is not touched), an entry into the start menu,
; and launch at login is set if that is chosen, or /AUTOSTART given. History, settings and keys stay when it is
; uninstalled, unless the user says that they are to go; /S asks nothing and keeps them.

Unicode true
ManifestDPIAware true
RequestExecutionLevel user
SetCompressor /SOLID lzma

!include MUI2.nsh
!include LogicLib.nsh
!include FileFunc.nsh
!include Sections.nsh

!define NAME "O-Switcher"
!define ID "O-Switcher"
!define KEY_UNINSTALL "Software\Microsoft\Windows\CurrentVersion\Uninstall\${ID}"
!define COMMANDS "$LOCALAPPDATA\Microsoft\WindowsApps"
!define COMMAND "o-switcher.exe"
!define TRAY "o-switcher-tray.exe"

Name "${NAME}"
OutFile "${OUT}"
InstallDir "$LOCALAPPDATA\Programs\${NAME}"
InstallDirRegKey HKCU "${KEY_UNINSTALL}" "InstallLocation"
BrandingText "${NAME} ${VERSION}"

VIProductVersion "${NUMBER}"
VIAddVersionKey ProductName "${NAME}"
VIAddVersionKey ProductVersion "${VERSION}"
VIAddVersionKey FileVersion "${VERSION}"
VIAddVersionKey FileDescription "${NAME} setup"
VIAddVersionKey LegalCopyright "Apache-2.0"

!define MUI_ABORTWARNING
!define MUI_FINISHPAGE_RUN "$INSTDIR\${TRAY}"
!insertmacro MUI_PAGE_WELCOME
!insertmacro MUI_PAGE_LICENSE "${SOURCE}\_internal\LICENSE"
!insertmacro MUI_PAGE_COMPONENTS
!insertmacro MUI_PAGE_DIRECTORY
!insertmacro MUI_PAGE_INSTFILES
!insertmacro MUI_PAGE_FINISH
!insertmacro MUI_UNPAGE_CONFIRM
!insertmacro MUI_UNPAGE_INSTFILES
!insertmacro MUI_LANGUAGE "English"
!insertmacro MUI_LANGUAGE "Russian"

LangString PROGRAM ${LANG_ENGLISH} "The program"
LangString PROGRAM ${LANG_RUSSIAN} "Программа"
LangString LOGIN ${LANG_ENGLISH} "Start at login"
LangString LOGIN ${LANG_RUSSIAN} "Запускать при входе"
LangString DATA ${LANG_ENGLISH} "Delete history, settings and keys as well?$\r$\n$\r$\n$LOCALAPPDATA\o-switcher$\r$\n$\r$\n\
  No keeps them: installed again, ${NAME} goes on where it was."
LangString DATA ${LANG_RUSSIAN} "Удалить также историю, настройки и ключи?$\r$\n$\r$\n$LOCALAPPDATA\o-switcher$\r$\n$\r$\n\
  Если нет, они останутся: после новой установки ${NAME} продолжит с того же места."
LangString RUNS ${LANG_ENGLISH} "${NAME} still runs and could not be stopped. Quit it from its tray menu, then try again."
LangString RUNS ${LANG_RUSSIAN} "${NAME} всё ещё работает, и остановить его не удалось. Выйдите через меню в трее и повторите."

; The running app is asked to stop: it finishes what is under way. Files of a running program cannot be replaced.
!macro StopRunning
  ${If} ${FileExists} "$INSTDIR\${COMMAND}"
    nsExec::Exec '"$INSTDIR\${COMMAND}" stop'
    Pop $0
    ; 3: the app is not running
    ${If} $0 != 0
    ${AndIf} $0 != 3
      MessageBox MB_OK|MB_ICONEXCLAMATION "$(RUNS)" /SD IDOK
      Abort
    ${EndIf}
  ${EndIf}
!macroend

; Only what the setup has put there, never the whole folder, which the user may have chosen.
!macro RemoveProgram
  RMDir /r "$INSTDIR\_internal"
  Delete "$INSTDIR\${COMMAND}"
  Delete "$INSTDIR\${TRAY}"
!macroend

Section "$(PROGRAM)" SectionProgram
  SectionIn RO
  !insertmacro StopRunning
  !insertmacro RemoveProgram
  SetOutPath "$INSTDIR"
  File /r "${SOURCE}\*"
  WriteUninstaller "$INSTDIR\uninstall.exe"
  CreateShortCut "$SMPROGRAMS\${NAME}.lnk" "$INSTDIR\${TRAY}"

  CreateDirectory "${COMMANDS}"
  FileOpen $0 "${COMMANDS}\o-switcher.cmd" w
  FileWrite $0 '@"$INSTDIR\${COMMAND}" %*$\r$\n'
  FileClose $0

  WriteRegStr HKCU "${KEY_UNINSTALL}" "DisplayName" "${NAME}"
  WriteRegStr HKCU "${KEY_UNINSTALL}" "DisplayVersion" "${VERSION}"
  WriteRegStr HKCU "${KEY_UNINSTALL}" "DisplayIcon" "$INSTDIR\${TRAY}"
  WriteRegStr HKCU "${KEY_UNINSTALL}" "InstallLocation" "$INSTDIR"
  WriteRegStr HKCU "${KEY_UNINSTALL}" "UninstallString" '"$INSTDIR\uninstall.exe"'
  WriteRegStr HKCU "${KEY_UNINSTALL}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /S'
  WriteRegDWORD HKCU "${KEY_UNINSTALL}" "NoModify" 1
  WriteRegDWORD HKCU "${KEY_UNINSTALL}" "NoRepair" 1
  ${GetSize} "$INSTDIR" "/S=0K" $0 $1 $2
  IntFmt $0 "0x%08X" $0
  WriteRegDWORD HKCU "${KEY_UNINSTALL}" "EstimatedSize" "$0"
SectionEnd

; The app knows how launch at login is done, and what Task Manager's switch says.
Section /o "$(LOGIN)" SectionLogin
  nsExec::Exec '"$INSTDIR\${COMMAND}" autostart enable'
  Pop $0
SectionEnd

Function .onInit
  ${GetParameters} $0
  ${GetOptions} $0 "/AUTOSTART" $1
  ${IfNot} ${Errors}
    !insertmacro SelectSection ${SectionLogin}
  ${EndIf}
FunctionEnd

; One that is not connected is left as it is.
!macro Disconnect CLIENT
  nsExec::Exec '"$INSTDIR\${COMMAND}" disconnect ${CLIENT}'
  Pop $0
!macroend

Section "Uninstall"
  !insertmacro StopRunning
  nsExec::Exec '"$INSTDIR\${COMMAND}" autostart disable'
  Pop $0
  !insertmacro Disconnect opencode
  !insertmacro Disconnect claude-code
  !insertmacro Disconnect codex
  !insertmacro Disconnect aider
  !insertmacro Disconnect llm

  ; silent: nothing is deleted that nobody was asked about
  MessageBox MB_YESNO|MB_ICONQUESTION|MB_DEFBUTTON2 "$(DATA)" /SD IDNO IDNO kept
    ; out of Windows' own store of passwords, into the file that goes next
    nsExec::Exec '"$INSTDIR\${COMMAND}" config set secrets.store file'
    Pop $0
    RMDir /r "$LOCALAPPDATA\o-switcher"
  kept:

  !insertmacro RemoveProgram
  Delete "$INSTDIR\uninstall.exe"
  RMDir "$INSTDIR"
  Delete "$SMPROGRAMS\${NAME}.lnk"
  Delete "${COMMANDS}\o-switcher.cmd"
  DeleteRegKey HKCU "${KEY_UNINSTALL}"
SectionEnd
